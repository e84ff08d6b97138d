package explain

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Mesh is the mesh to evaluate.
type Mesh struct {
	// Name is the name of the mesh.
	Name    string
	Catalog *catalog.Catalog
	// Exists returns true if an object exists.
	Exists func(catalog.Ref) bool
	// Problems returns the problems of an object. It may be nil.
	Problems func(catalog.Ref) []string
	// PodAt returns the name of the pod with an address, or an empty name. It may be nil.
	PodAt func(netip.Addr) catalog.Name
	// Account returns the service account of a workload's pods. found is false if the workload does not exist.
	Account func(ctx context.Context, kind, namespace, name string) (account string, found bool, err error)
}

// party is a resolved reference.
type party struct {
	// what is a description such as "ServiceAccount shop/web".
	what string
	// identity is the identity of its pods. It is empty for a Service.
	identity identity.ServiceAccount
	service  *catalog.Service
	pod      *catalog.Pod
}

// order returns the kinds to try for a name without a kind.
func order(source bool) []string {
	workloads := append([]string{KindPod}, Workloads...)
	if source {
		return append(workloads, KindServiceAccount, KindService)
	}
	return append([]string{KindService}, append(workloads, KindServiceAccount)...)
}

// resolve finds the object of a reference.
func (m Mesh) resolve(ctx context.Context, v *catalog.View, r Reference, source bool) (party, error) {
	kinds := order(source)
	if r.Kind != "" {
		kinds = []string{r.Kind}
	}
	for _, kind := range kinds {
		found, ok, err := m.find(ctx, v, kind, r)
		if err != nil {
			return party{}, err
		}
		if ok {
			return found, nil
		}
	}
	if address, err := netip.ParseAddr(r.Name); err == nil {
		return m.resolveAddress(v, address)
	}
	if strings.Contains(r.text, ".") && !strings.Contains(r.text, "/") {
		return party{}, fmt.Errorf("%s is not a Service of the cluster. For a host outside the mesh, write a URL: http://, https:// or tcp:// before %s, with its port",
			r.text, strings.Split(r.text, ":")[0])
	}
	what := "pod, workload, service account or Service"
	if r.Kind != "" {
		what = r.Kind
	}
	return party{}, fmt.Errorf("no %s named %s found in namespace %s: use NAMESPACE/NAME or NAMESPACE/KIND/NAME", what, r.Name, r.Namespace)
}

// resolveAddress finds the Service or pod with an address.
func (m Mesh) resolveAddress(v *catalog.View, address netip.Addr) (party, error) {
	for _, name := range v.Services() {
		service := v.Service(name)
		if slices.Contains(service.ClusterIPs, address) {
			return party{what: "Service " + name.String(), service: service}, nil
		}
	}
	if m.PodAt != nil {
		if pod := v.Pod(m.PodAt(address)); pod != nil {
			return party{what: "pod " + pod.Name.String(), identity: pod.Identity(), pod: pod}, nil
		}
	}
	return party{}, fmt.Errorf("no Service and no pod of the mesh has the address %s. For an address outside the mesh, write a URL: http://, https:// or tcp:// before %s, with its port", address, address)
}

func (m Mesh) find(ctx context.Context, v *catalog.View, kind string, r Reference) (party, bool, error) {
	name := catalog.Name{Namespace: r.Namespace, Name: r.Name}
	switch kind {
	case KindPod:
		pod := v.Pod(name)
		if pod == nil {
			return party{}, false, nil
		}
		return party{what: "pod " + name.String(), identity: pod.Identity(), pod: pod}, true, nil
	case KindService:
		if !m.Exists(catalog.Ref{Kind: catalog.KindService, Name: name}) {
			return party{}, false, nil
		}
		// A view only contains Services inside the mesh.
		service := v.Service(name)
		if service == nil {
			service = &catalog.Service{Name: name}
		}
		return party{what: "Service " + name.String(), service: service}, true, nil
	case KindServiceAccount:
		known := m.Exists(catalog.Ref{Kind: catalog.KindServiceAccount, Name: name})
		return party{what: "ServiceAccount " + name.String(), identity: identity.ServiceAccount(name)}, known, nil
	}
	account, found, err := m.Account(ctx, kind, r.Namespace, r.Name)
	return party{what: kind + " " + name.String(), identity: identity.ServiceAccount{Namespace: r.Namespace, Name: account}}, found, err
}

// caller returns the identity of a source.
func (p party) caller(v *catalog.View) (identity.ServiceAccount, error) {
	if p.service == nil {
		return p.identity, nil
	}
	backers := v.ServiceIdentities(p.service.Name)
	switch len(backers) {
	case 0:
		return identity.ServiceAccount{}, fmt.Errorf("%s has no pods in the mesh, so it has no identity", p.what)
	case 1:
		return backers[0], nil
	}
	var accounts []string
	for _, sa := range backers {
		accounts = append(accounts, sa.Namespace+"/sa/"+sa.Name)
	}
	return identity.ServiceAccount{}, fmt.Errorf("%s has several identities: specify one of %s", p.what, strings.Join(accounts, ", "))
}
