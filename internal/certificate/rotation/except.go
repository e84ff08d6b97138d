package rotation

import (
	"slices"
	"strings"
)

// Except removes the sidecars and the distributed trust of some namespaces from an observation, so that the rotation does not wait for them.
// One sidecar that does not respond, perhaps on purpose, could otherwise keep a mesh from withdrawing a root.
func (o *Observed) Except(namespaces []string) {
	isExcepted := func(sidecar string) bool {
		namespace, _, _ := strings.Cut(sidecar, "/")
		return slices.Contains(namespaces, namespace)
	}
	o.Sidecars = slices.DeleteFunc(o.Sidecars, isExcepted)
	o.Namespaces = slices.DeleteFunc(o.Namespaces, func(namespace string) bool { return slices.Contains(namespaces, namespace) })
	for i := range o.Replicas {
		r := &o.Replicas[i]
		r.Proxies = slices.DeleteFunc(slices.Clone(r.Proxies), func(p Proxy) bool { return isExcepted(p.Name) })
	}
}
