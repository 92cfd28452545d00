/** A wall of cards of different heights. In: a list of cards, each with its photo's ratio. Out: their places. */

const SMALLEST_PX = 164;
const LARGEST_PX = 236;
const COLUMNS = 4.4; // while the cards are neither smaller nor larger than that

/** Lays out `container`'s cards, and again whenever its width changes; card.dataset.ratio = width / height. */
export class Masonry {
  constructor(container) {
    this.container = container;
    this.width = 0;
    new ResizeObserver(([{ contentRect }]) => {
      if (contentRect.width && contentRect.width !== this.width) this.layout();
    }).observe(container);
  }

  /** Places every card; cards that were placed before glide. */
  layout() {
    const { container } = this;
    const style = getComputedStyle(container);
    const gap = parseFloat(style.columnGap);
    const caption = parseFloat(style.getPropertyValue("--caption-px"));
    this.width = container.clientWidth;
    const least = Math.min(SMALLEST_PX, (this.width - gap) / 2);
    const wanted = Math.min(LARGEST_PX, Math.max(least, this.width / COLUMNS));
    const columns = Math.max(2, Math.floor((this.width + gap) / (wanted + gap)));
    const width = (this.width - gap * (columns - 1)) / columns;
    const bottoms = new Array(columns).fill(0);
    for (const card of container.children) {
      if (card.classList.contains("leaving")) continue;
      const column = bottoms.indexOf(Math.min(...bottoms));
      card.style.width = `${width}px`;
      card.style.transform = `translate(${column * (width + gap)}px, ${bottoms[column]}px)`;
      bottoms[column] += width / card.dataset.ratio + caption + gap;
    }
    container.style.height = `${Math.max(...bottoms)}px`;
  }
}
