// Package pull brings the image of sidecars to the nodes before slots of running pods get it. While a node pulls, the container of a changed slot is gone, and
// the pod has no Envoy to fall back to.
//
// Input: a Mesh and an image. Output: a DaemonSet whose pods use the image, and the nodes that have it. The DaemonSet is deleted after the upgrade.
package pull
