package verdict

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	podstest "github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// Pod returns the pod with the index. Pods 0 and 2 share one identity; pods 1 and 3 have their own.
func (n *Network) Pod(i int) *podstest.Pod { return n.pods[i] }

// Mesh returns a mesh with the entries. Each pod is ready and has its index as the value of the label "app".
func Mesh(entries ...catalog.Entry) State {
	w := State{}
	for i := range pods {
		p := newPod(i, string(rune('0'+i)), ready)
		w[p.Ref()] = p
	}
	for _, e := range entries {
		w[e.Ref()] = e
	}
	return w
}
