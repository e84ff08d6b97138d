package verdict

import (
	"github.com/openservicemesh/osm-operator/internal/catalog"
	podstest "github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// Pod is the pod with the index, for tests that run applications of their own in it: 0 and 2 have one identity, 1 and 3 one each.
func (n *Network) Pod(i int) *podstest.Pod { return n.pods[i] }

// Mesh is a mesh with the entries. The pods have their index as the value of the label "app", all are ready.
func Mesh(entries ...catalog.Entry) World {
	w := World{}
	for i := range pods {
		p := newPod(i, string(rune('0'+i)), ready)
		w[p.Ref()] = p
	}
	for _, e := range entries {
		w[e.Ref()] = e
	}
	return w
}
