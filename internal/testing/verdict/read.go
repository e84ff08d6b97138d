package verdict

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kubejson "k8s.io/apimachinery/pkg/util/json"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/testing/reference"
)

// read returns the entries of a control plane that has read the objects.
func read(c *reference.Cluster) State {
	entries := State{}
	settings, _ := ingest.MeshConfig(&c.MeshConfig)
	entries.add(settings)
	for i := range c.Namespaces {
		namespace, _ := ingest.Namespace(&c.Namespaces[i], meshName)
		entries.add(namespace)
	}
	for i := range c.Pods {
		entries.add(ingest.Pod(&c.Pods[i]))
	}
	for i := range c.Services {
		service, _ := ingest.Service(&c.Services[i])
		entries.add(service)
	}
	for i := range c.EndpointSlices {
		slice, _ := ingest.EndpointSlice(&c.EndpointSlices[i])
		entries.add(slice)
	}
	readPolicies(entries, c.TrafficTargets, ingest.TrafficTarget)
	readPolicies(entries, c.HTTPRouteGroups, ingest.HTTPRouteGroup)
	readPolicies(entries, c.TCPRoutes, ingest.TCPRoute)
	readPolicies(entries, c.TrafficSplits, ingest.TrafficSplit)
	readPolicies(entries, c.IngressBackends, ingest.IngressBackend)
	return entries
}

func (w State) add(e catalog.Entry) { w[e.Ref()] = e }

// readPolicies adds the entries of the policies that are usable.
func readPolicies[T any, E interface {
	comparable
	catalog.Entry
}](entries State, objects []T, ingest func(*unstructured.Unstructured) (E, []ingest.Problem),
) {
	var none E
	for _, object := range objects {
		if entry, _ := ingest(asUnstructured(object)); entry != none {
			entries.add(entry)
		}
	}
}

// asUnstructured returns an object as the API server would return it.
func asUnstructured(object any) *unstructured.Unstructured {
	text, err := json.Marshal(object)
	u := &unstructured.Unstructured{}
	if err == nil {
		err = kubejson.Unmarshal(text, &u.Object)
	}
	if err != nil {
		panic(fmt.Sprintf("%T cannot be converted: %v", object, err))
	}
	return u
}
