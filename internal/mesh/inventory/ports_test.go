package inventory

import (
	"fmt"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// TestNamedPortsAreIndexed compares lookups of a named port in small and large namespaces.
func TestNamedPortsAreIndexed(t *testing.T) {
	service := &Service{
		Name: entity.Name{Namespace: "a", Name: "s"}, Selector: map[string]string{"app": "s"}, Ports: []Port{{Name: "web", Number: 80, TargetName: "http"}},
	}
	lookups := func(pods int) float64 {
		inv := filled(service)
		for i := range pods {
			inv.Replace(nil, &Instance{
				Name: entity.Name{Namespace: "a", Name: fmt.Sprint(i)}, Labels: map[string]string{"app": "s"}, Ports: map[string]uint16{"http": 8080},
			}, entity.DepSet{})
		}
		return testing.AllocsPerRun(10, func() {
			if got := inv.TargetPort(service, service.Ports[0]); got != 8080 {
				t.Fatalf("the number is %d", got)
			}
		})
	}
	if few, many := lookups(2), lookups(2000); many > few {
		t.Errorf("a lookup allocates %v times with 2 pods, %v times with 2000", few, many)
	}
}

func TestTargetPorts(t *testing.T) {
	service := &Service{
		Name: entity.Name{Namespace: "a", Name: "s"}, Selector: map[string]string{"app": "s"},
		Ports: []Port{{Name: "web", Number: 80, TargetName: "http"}, {Name: "fixed", Number: 81, TargetPort: 9000}},
	}
	pod := func(name string, number uint16, finished bool) *Instance {
		return &Instance{Name: entity.Name{Namespace: "a", Name: name}, Labels: map[string]string{"app": "s"}, Ports: map[string]uint16{"http": number}, Finished: finished}
	}
	first, second := pod("1", 9090, false), pod("2", 8080, false)
	inv := filled(service, first, second, pod("3", 7070, true), &EndpointSlice{
		Name: entity.Name{Namespace: "a", Name: "s-1"}, Service: service.Name, Ports: map[string]uint16{"web": 6060},
	})
	expect := func(what string, want string) {
		t.Helper()
		if got := fmt.Sprint(inv.TargetPorts(service, service.Ports[0]), inv.TargetPorts(service, service.Ports[1])); got != want {
			t.Errorf("%s: the numbers are %s, want %s", what, got, want)
		}
	}
	expect("two versions", "[8080 9090] [9000]")
	inv.Replace(second, nil, entity.DepSet{})
	expect("one version", "[9090] [9000]")
	inv.Replace(service, nil, entity.DepSet{})
	inv.Replace(nil, service, entity.DepSet{})
	expect("a Service that was created again", "[9090] [9000]")
	inv.Replace(first, nil, entity.DepSet{})
	expect("no pods", "[6060] [9000]")
	if len(inv.targetPorts) != 0 {
		t.Errorf("%d counts are left without pods", len(inv.targetPorts))
	}
}

func filled(entries ...Entry) *Inventory {
	inv := New()
	for _, entry := range entries {
		inv.Replace(nil, entry, entity.DepSet{})
	}
	return inv
}
