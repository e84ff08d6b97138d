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

// Preflight lists everything that would break if the desired authority issued, and everything that could not follow a rotation to it. It
// depends on the state before the rotation, so it can be called before the authority is declared.
func Preflight(o Observed) []string {
	w := waiting(slices.Clone(o.Rejected))
	for _, namespace := range o.Namespaces {
		w.add("the namespace %s does not have the present root, so its new pods would not get another one", namespace)
	}
	w = append(w, o.Webhooks...)
	w.addReplicas(o, func(r Replica) {
		for _, p := range r.Proxies {
			if p.UsesCertificates && !p.Synced && !p.AwaitsCertificate {
				w.add("the sidecar of %s has not acknowledged its present certificates, so it would not confirm new ones", p.Name)
			}
		}
	})
	w.addDisconnected(o)
	return w
}
