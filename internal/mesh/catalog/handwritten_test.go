package catalog_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// withoutSelector returns a Service without a selector, whose port "http" has a target port that no pod has.
func withoutSelector(namespace, name string) *inventory.Service {
	service := Service(namespace, name, "", "10.96.0.9", 80, inventory.ProtocolHTTP)
	service.Selector, service.Ports[0].Name, service.Ports[0].TargetPort = nil, "http", 9
	return service
}

// handwritten returns an EndpointSlice with the port "http" and an address, which names no pod.
func handwritten(service entity.Name, address string) *inventory.EndpointSlice {
	return &inventory.EndpointSlice{
		Name: Name(service.Namespace, service.Name+"-by-hand"), Service: service, Ports: map[string]uint16{"http": 8080},
		Endpoints: []inventory.Endpoint{{Address: netip.MustParseAddr(address), Ready: true}},
	}
}

// TestHandwrittenEndpoints checks which addresses behind a Service without a selector count: those of exactly one running pod of its namespace with a
// sidecar.
func TestHandwrittenEndpoints(t *testing.T) {
	const address = "10.0.0.1"
	service := withoutSelector("shop", "web")
	slice := func(change func(*inventory.EndpointSlice)) *inventory.EndpointSlice {
		s := handwritten(service.Name, address)
		change(s)
		return s
	}
	pod := func(namespace, name string, change func(*inventory.Instance)) *inventory.Instance {
		p := Pod(namespace, name, "web", "web", address)
		change(p)
		return p
	}
	same, unchanged := func(*inventory.EndpointSlice) {}, func(*inventory.Instance) {}
	for name, test := range map[string]struct {
		slice *inventory.EndpointSlice
		pods  []*inventory.Instance
		want  []string
	}{
		"no pod has the address":        {slice(same), nil, nil},
		"one pod":                       {slice(same), []*inventory.Instance{pod("shop", "one", unchanged)}, []string{"10.0.0.1:8080"}},
		"a pod of another namespace":    {slice(same), []*inventory.Instance{pod("bank", "one", unchanged)}, nil},
		"two pods of the namespace":     {slice(same), []*inventory.Instance{pod("shop", "one", unchanged), pod("shop", "two", unchanged)}, nil},
		"two pods of two namespaces":    {slice(same), []*inventory.Instance{pod("shop", "one", unchanged), pod("bank", "two", unchanged)}, nil},
		"a finished pod beside it":      {slice(same), []*inventory.Instance{pod("shop", "one", unchanged), pod("bank", "two", func(p *inventory.Instance) { p.Finished = true })}, []string{"10.0.0.1:8080"}},
		"a finished pod":                {slice(same), []*inventory.Instance{pod("shop", "one", func(p *inventory.Instance) { p.Finished = true })}, nil},
		"a pod without a sidecar":       {slice(same), []*inventory.Instance{pod("shop", "one", func(p *inventory.Instance) { p.Injected = false })}, nil},
		"a pod with a sidecar of OSM":   {slice(same), []*inventory.Instance{pod("shop", "one", func(p *inventory.Instance) { p.Injected, p.OSMSidecar = false, true })}, []string{"10.0.0.1:8080"}},
		"the pod that it names":         {slice(func(s *inventory.EndpointSlice) { s.Endpoints[0].Pod = Name("shop", "one") }), []*inventory.Instance{pod("shop", "one", unchanged)}, []string{"10.0.0.1:8080"}},
		"another pod than it names":     {slice(func(s *inventory.EndpointSlice) { s.Endpoints[0].Pod = Name("shop", "two") }), []*inventory.Instance{pod("shop", "one", unchanged)}, nil},
		"a port that the slice lacks":   {slice(func(s *inventory.EndpointSlice) { s.Ports = map[string]uint16{"grpc": 8080} }), []*inventory.Instance{pod("shop", "one", unchanged)}, nil},
		"an endpoint that is not ready": {slice(func(s *inventory.EndpointSlice) { s.Endpoints[0].Ready = false }), []*inventory.Instance{pod("shop", "one", unchanged)}, nil},
	} {
		entries := []catalog.Entry{&catalog.Namespace{Name: "shop", Monitored: true}, &catalog.Namespace{Name: "bank", Monitored: true}, service, test.slice}
		for _, p := range test.pods {
			entries = append(entries, p)
		}
		var got []string
		for _, b := range Apply(entries...).View().Backends(service, service.Ports[0]) {
			got = append(got, b.Address.String())
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: endpoints %v, want %v", name, got, test.want)
		}
	}
}

// TestHandwrittenEndpointsNeedNoSelector checks that an endpoint that names no pod never counts behind a Service with a selector.
func TestHandwrittenEndpointsNeedNoSelector(t *testing.T) {
	pod, service := Pod("shop", "one", "web", "web", "10.0.0.1"), Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP)
	v := Apply(&catalog.Namespace{Name: "shop", Monitored: true}, pod, service, handwritten(service.Name, "10.0.0.1")).View()
	if got := v.Backends(service, service.Ports[0]); len(got) > 0 {
		t.Errorf("the Service has %v", got)
	}
	if got := fmt.Sprint(v.LeftOut(service)); got != "[10.0.0.1]" {
		t.Errorf("the addresses without traffic are %s", got)
	}
	if got := v.Addresses(service.Name); len(got) > 0 {
		t.Errorf("the Service admits clients at %v", got)
	}
}

// TestPodsBehindHandwrittenEndpoints checks that the pod and its identity belong to the Service, and that its port is that of the EndpointSlice.
func TestPodsBehindHandwrittenEndpoints(t *testing.T) {
	pod, service := Pod("shop", "one", "web", "web", "10.0.0.1"), withoutSelector("shop", "web")
	second := handwritten(service.Name, "10.0.0.1")
	second.Name, second.Ports = Name("shop", "other"), map[string]uint16{"http": 8081}
	outside := handwritten(service.Name, "192.0.2.1")
	outside.Name, outside.Ports = Name("shop", "outside"), map[string]uint16{"http": 1}
	v := Apply(&catalog.Namespace{Name: "shop", Monitored: true}, pod, service, handwritten(service.Name, "10.0.0.1"), second, outside).View()
	got := fmt.Sprint(
		v.ServicesOfPod(pod), v.ServicesOf(pod.Identity()), v.ServiceIdentities(service.Name), v.PodsUpTo(service.Name), v.TargetPorts(service, service.Ports[0]),
		v.NamedPorts(pod, v.ServicesOfPod(pod)), v.LeftOut(service),
	)
	if want := "[shop/web] [shop/web] [shop/web] 1 [8080 8081] [{shop/web http 8080} {shop/web http 8081}] [192.0.2.1]"; got != want {
		t.Errorf("the view has %s, want %s", got, want)
	}
}

// TestHandwrittenEndpointsAfterChanges makes random changes and compares what depends on handwritten endpoints with a catalog that has the same entries from
// the beginning. Whatever differs from before must be affected.
func TestHandwrittenEndpointsAfterChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, present := catalog.New(), map[entity.Ref]catalog.Entry{}
		for range rapid.IntRange(1, 40).Draw(t, "changes") {
			entry := drawConcerned(t)
			change := catalog.Set(entry)
			present[entry.Ref()] = entry
			if rapid.IntRange(0, 3).Draw(t, "removed") == 0 {
				change = catalog.Change{Ref: entry.Ref()}
				delete(present, entry.Ref())
			}
			before := answersOf(c)
			affected := c.Apply([]catalog.Change{change})
			after, want := answersOf(c), answersOf(Apply(slices.Collect(maps.Values(present))...))
			for question, answer := range after {
				if answer.text != want[question].text {
					t.Fatalf("after %v: %s are %s, want %s", change, question, answer.text, want[question].text)
				}
				isAffected := slices.ContainsFunc(answer.deps, func(dep entity.Dep) bool { return slices.Contains(affected, dep) })
				if answer.text != before[question].text && !isAffected {
					t.Fatalf("after %v: %s were %s and are %s, but none of %v is affected", change, question, before[question].text, answer.text, answer.deps)
				}
			}
		}
	})
}

// drawConcerned draws a namespace, a pod, a Service or an EndpointSlice. Pods share few addresses, and Services few names.
func drawConcerned(t *rapid.T) catalog.Entry {
	namespace := rapid.SampledFrom([]string{"a", "a", "a", "b"}).Draw(t, "namespace")
	number, isTrue := rapid.IntRange(0, 2), rapid.Bool()
	address := fmt.Sprint("10.0.0.", number.Draw(t, "address"))
	name := Name(namespace, fmt.Sprint("n", number.Draw(t, "name")))
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		return &catalog.Namespace{Name: namespace, Monitored: isTrue.Draw(t, "monitored")}
	case 1, 2, 3:
		pod := Pod(namespace, name.Name, "x", rapid.SampledFrom([]string{"one", "two"}).Draw(t, "account"), address)
		pod.Injected, pod.Finished = number.Draw(t, "injected") > 0, number.Draw(t, "finished") == 0
		pod.OSMSidecar = !pod.Injected && isTrue.Draw(t, "sidecar of OSM")
		return pod
	case 4, 5, 6:
		service := withoutSelector(namespace, name.Name)
		if number.Draw(t, "with a selector") == 0 {
			service.Selector = map[string]string{"app": "x"}
		}
		if number.Draw(t, "renamed") == 0 {
			service.Ports[0].Name = "grpc"
		}
		return service
	}
	slice := handwritten(Name(namespace, fmt.Sprint("n", number.Draw(t, "service"))), address)
	slice.Name = name
	slice.Ports["http"] += uint16(number.Draw(t, "port"))
	if isTrue.Draw(t, "names a pod") {
		slice.Endpoints[0].Pod = Name(namespace, fmt.Sprint("n", number.Draw(t, "pod")))
	}
	return slice
}

// answer is what a view answers, and from which dependencies.
type answer struct {
	text string
	deps []entity.Dep
}

// answersOf asks a catalog about all pods, identities and Services of the test.
func answersOf(c *catalog.Catalog) map[string]answer {
	answers := map[string]answer{}
	ask := func(question string, of func(*catalog.View) string) {
		v := c.View()
		text := of(v)
		answers[question] = answer{text, v.Deps()}
	}
	for _, namespace := range []string{"a", "b"} {
		for _, account := range []string{"one", "two"} {
			ask("the Services of account "+account+" in "+namespace, func(v *catalog.View) string { return fmt.Sprint(v.ServicesOf(SA(namespace, account))) })
		}
		for i := range 3 {
			name := Name(namespace, fmt.Sprint("n", i))
			ask("the Services and ports of pod "+name.String(), func(v *catalog.View) string {
				pod := v.Pod(name)
				if pod == nil {
					return "none"
				}
				services := v.ServicesOfPod(pod)
				return fmt.Sprint(services, v.NamedPorts(pod, services))
			})
			ask("the endpoints of "+name.String(), func(v *catalog.View) string { return endpointsOf(v, name) })
			ask("the identities of "+name.String(), func(v *catalog.View) string { return fmt.Sprint(v.ServiceIdentities(name)) })
			ask("the number of pods of "+name.String(), func(v *catalog.View) string { return fmt.Sprint(v.PodsUpTo(name)) })
			ask("the Services with pods of "+name.String(), func(v *catalog.View) string { return fmt.Sprint(v.Sharing(name)) })
		}
	}
	return answers
}

func endpointsOf(v *catalog.View, name entity.Name) string {
	service := v.Service(name)
	if service == nil {
		return "none"
	}
	return fmt.Sprint(v.Backends(service, service.Ports[0]), v.TargetPorts(service, service.Ports[0]), v.LeftOut(service))
}
