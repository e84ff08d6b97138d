// Package inject decides which pods get a sidecar and adds it to them.
//
// Its input is a pod, the labels and annotations of the pod's namespace, and the settings of the mesh. Its output is the
// pod with its sidecar, or the reason why the pod is denied or left unchanged. It makes no API requests.
package inject
