// Package pull brings the image of sidecars to the nodes before slots of running pods get it. While a node pulls, the container of a changed slot is gone, and
// the pod has no Envoy to fall back to.
//
// Input: a Mesh, an image, and the nodes whose pods need it. Output: a pod for each of these nodes, which pulls the image, runs its Envoy once and keeps the
// image, and the nodes that have it. All that matters is read from these pods, so the operator may restart at any time. A pod is deleted when its node is
// no longer needed.
package pull
