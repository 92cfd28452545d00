"""The models of the published systems, by name: torchvision's detectors, embedders and keypoints."""
