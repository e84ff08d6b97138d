package explain

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Mesh is the mesh to evaluate.
type Mesh struct {
	// Name is the name of the mesh.
	Name    string
	Catalog *catalog.Catalog
	// Exists returns true if an object exists.
	Exists func(entity.Ref) bool
	// Problems returns the problems of an object. It may be nil.
	Problems func(entity.Ref) []diagnosis.Finding
	// PodAt returns the name of the pod with an address, or an empty name. It may be nil.
	PodAt func(netip.Addr) entity.Name
	// Unprogrammed returns why the ingress gateway does not serve a listener, by the status of the Gateway; empty if it does. It may be nil.
	Unprogrammed func(gateway entity.Name, listener string) string
	// Unavailable returns why what a policy allows cannot be reached, by its conditions; empty if it can. It may be nil.
	Unavailable func(entity.Ref) string
	// PeerProblems returns why a peer is not accepted, or cannot connect, by its status. It may be nil.
	PeerProblems func(peer string) []diagnosis.Finding
	// Offers returns what is known about the offers of a peer. It may be nil if everything is.
	Offers func(peer string) Offers
	// Remaining reports whether a pod has a sidecar that no control plane configures any more. It may be nil.
	Remaining func(*inventory.Instance) bool
	// NotInjected returns why new pods like a pod get no sidecar; empty if they get one. It may be nil.
	NotInjected func(entity.Name) string
	// Undeclared returns why the application may not listen on a port of a Service; empty if nothing is known. It may be nil.
	Undeclared func(service *inventory.Service, port uint16) string
	// Account returns the service account of a workload's pods. found is false if the workload does not exist.
	Account func(ctx context.Context, kind, namespace, name string) (account string, found bool, err error)
}

// party is a resolved reference.
type party struct {
	// what is a description such as "ServiceAccount shop/web".
	what string
	// identity is the identity of its pods. It is empty for a Service.
	identity identity.ServiceAccount
	service  *inventory.Service
	pod      *inventory.Instance
	// workload is what manages the pods; empty for other references.
	workload inventory.Workload
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
	if similar := m.similar(r); similar != "" {
		return party{}, fmt.Errorf("no %s named %s found in namespace %s: did you mean %s?", what, r.Name, r.Namespace, similar)
	}
	return party{}, fmt.Errorf("no %s named %s found in namespace %s: use NAMESPACE/NAME or NAMESPACE/KIND/NAME", what, r.Name, r.Namespace)
}

// similar returns the Service, service account or workload of the namespace with the most similar name; empty if none is similar.
func (m Mesh) similar(r Reference) string {
	candidates := map[string]bool{}
	for _, kind := range []entity.Kind{entity.KindService, entity.KindServiceAccount, entity.KindPod} {
		for _, entry := range m.Catalog.Entries(kind) {
			if ref := entry.Ref(); ref.Name.Namespace == r.Namespace {
				candidates[ref.Name.Name] = true
			}
			if pod, ok := entry.(*inventory.Instance); ok && pod.Name.Namespace == r.Namespace && pod.Workload.Name != "" {
				candidates[pod.Workload.Name] = true
			}
		}
	}
	best, least := "", maxTypos+1
	for _, name := range slices.Sorted(maps.Keys(candidates)) {
		if d := editDistance(r.Name, name); d < least && d < len(r.Name) {
			best, least = name, d
		}
	}
	return best
}

// maxTypos is the largest number of edits between a name and a suggestion.
const maxTypos = 2

// editDistance is the number of inserted, deleted and replaced bytes between two names.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost = 1 + min(diagonal, row[j], row[j-1])
			}
			diagonal, row[j] = row[j], cost
		}
	}
	return row[len(b)]
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
	name := entity.Name{Namespace: r.Namespace, Name: r.Name}
	switch kind {
	case KindPod:
		pod := v.Pod(name)
		if pod == nil {
			return party{}, false, nil
		}
		return party{what: "pod " + name.String(), identity: pod.Identity(), pod: pod}, true, nil
	case KindService:
		if !m.Exists(entity.Ref{Kind: entity.KindService, Name: name}) {
			return party{}, false, nil
		}
		// A view only contains Services inside the mesh.
		service := v.Service(name)
		if service == nil {
			service = &inventory.Service{Name: name}
		}
		return party{what: "Service " + name.String(), service: service}, true, nil
	case KindServiceAccount:
		known := m.Exists(entity.Ref{Kind: entity.KindServiceAccount, Name: name})
		return party{what: "ServiceAccount " + name.String(), identity: identity.ServiceAccount(name)}, known, nil
	}
	account, found, err := m.Account(ctx, kind, r.Namespace, r.Name)
	return party{
		what: kind + " " + name.String(), identity: identity.ServiceAccount{Namespace: r.Namespace, Name: account}, workload: inventory.Workload{Kind: kind, Name: r.Name},
	}, found, err
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
	accounts := lists.Map(backers, func(sa identity.ServiceAccount) string { return sa.Namespace + "/sa/" + sa.Name })
	return identity.ServiceAccount{}, fmt.Errorf("%s has several identities: specify one of %s", p.what, strings.Join(accounts, ", "))
}

// servicePort is a port of a Service through which the destination can be called.
type servicePort struct {
	service *inventory.Service
	port    inventory.Port
	// pod is the pod address that a client of a headless Service selects.
	pod netip.Addr
	// only restricts the question to one identity. It is empty for all identities behind the Service.
	only identity.ServiceAccount
	// leftOut has the TrafficSplits whose routes the sidecar or gateway of the client does not have on this port.
	leftOut map[entity.Ref]struct{}
}

// servicePorts returns the Service ports that lead to a destination. Port 0 means all ports.
func servicePorts(v *catalog.View, to party, port uint16) ([]servicePort, error) {
	if to.service != nil {
		return portsOf(v, to.service, identity.ServiceAccount{}, port, nil)
	}
	services := v.ServicesOf(to.identity)
	if to.pod != nil {
		services = v.ServicesOfPod(to.pod)
	}
	var all []servicePort
	for _, name := range services {
		some, err := portsOf(v, v.Service(name), to.identity, 0, to.pod)
		if err != nil {
			return nil, err
		}
		for _, p := range some {
			if port == 0 || p.port.Number == port || v.TargetPort(p.service, p.port) == port {
				all = append(all, p)
			}
		}
	}
	if port != 0 && len(all) == 0 && len(services) > 0 {
		return nil, fmt.Errorf("no Service has the target port %d of %s", port, to.what)
	}
	return all, nil
}

func portsOf(v *catalog.View, service *inventory.Service, only identity.ServiceAccount, port uint16, pod *inventory.Instance) ([]servicePort, error) {
	var all []servicePort
	for _, p := range service.Ports {
		if port == 0 || p.Number == port {
			all = append(all, servicePort{service: service, port: p, only: only, pod: headlessAddress(v, service, p, only, pod)})
		}
	}
	if port != 0 && len(all) == 0 && v.Service(service.Name) != nil {
		return nil, fmt.Errorf("the Service %s has no port %d in the mesh: %s", service.Name, port, portsInWords(v, service))
	}
	return all, nil
}

// portsInWords lists the ports of a Service with their target ports.
func portsInWords(v *catalog.View, service *inventory.Service) string {
	var parts []string
	for _, p := range service.Ports {
		text := strconv.Itoa(int(p.Number))
		if target := v.TargetPort(service, p); target != 0 && target != p.Number {
			text += fmt.Sprintf(" (target port %d)", target)
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return "it has none"
	}
	return "use " + strings.Join(parts, " or ")
}

// headlessAddress returns the address that a client of a headless Service connects to: the pod's address, or the first matching one.
func headlessAddress(v *catalog.View, service *inventory.Service, port inventory.Port, only identity.ServiceAccount, pod *inventory.Instance) netip.Addr {
	if !service.Headless() {
		return netip.Addr{}
	}
	for _, b := range v.Backends(service, port) {
		if pod != nil && !slices.Contains(pod.IPs, b.Address.Addr()) {
			continue
		}
		if only == (identity.ServiceAccount{}) || b.Identity == only {
			return b.Address.Addr()
		}
	}
	return netip.Addr{}
}

// includes reports whether the question is about an identity.
func (p servicePort) includes(account identity.ServiceAccount) bool {
	return p.only == (identity.ServiceAccount{}) || p.only == account
}

// candidate returns the verdict for the port.
func (p servicePort) candidate(outcome authz.Outcome, response, missing string) Candidate {
	return Candidate{
		Service: p.service.Name.String(), Port: p.port.Number, Protocol: string(p.port.Protocol),
		Outcome: string(outcome), Response: response, Missing: missing,
	}
}

// host returns the Host header of clients.
func (p servicePort) host() string {
	host := p.service.Name.Name + "." + p.service.Name.Namespace
	if p.port.Number != 80 {
		host += fmt.Sprintf(":%d", p.port.Number)
	}
	return host
}
