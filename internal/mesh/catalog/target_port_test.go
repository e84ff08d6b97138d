package catalog

import (
	"fmt"
	"testing"
)

// TestNamedPortsAreIndexed compares lookups of a named port in small and large namespaces.
func TestNamedPortsAreIndexed(t *testing.T) {
	service := &Service{
		Name: Name{"a", "s"}, Selector: map[string]string{"app": "s"}, Ports: []Port{{Name: "web", Number: 80, TargetName: "http"}},
	}
	lookups := func(pods int) float64 {
		c := filled(service)
		for i := range pods {
			c.Apply([]Change{Set(&Pod{
				Name: Name{"a", fmt.Sprint(i)}, Labels: map[string]string{"app": "s"}, Ports: map[string]uint16{"http": 8080},
			})})
		}
		view := c.View()
		return testing.AllocsPerRun(10, func() {
			if got := view.TargetPort(service, service.Ports[0]); got != 8080 {
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
		Name: Name{"a", "s"}, Selector: map[string]string{"app": "s"},
		Ports: []Port{{Name: "web", Number: 80, TargetName: "http"}, {Name: "fixed", Number: 81, TargetPort: 9000}},
	}
	pod := func(name string, number uint16, finished bool) *Pod {
		return &Pod{Name: Name{"a", name}, Labels: map[string]string{"app": "s"}, Ports: map[string]uint16{"http": number}, Finished: finished}
	}
	c := filled(service, pod("1", 9090, false), pod("2", 8080, false), pod("3", 7070, true), &EndpointSlice{
		Name: Name{"a", "s-1"}, Service: service.Name, Ports: map[string]uint16{"web": 6060},
	})
	expect := func(what string, want string) {
		t.Helper()
		if got := fmt.Sprint(c.View().TargetPorts(service, service.Ports[0]), c.View().TargetPorts(service, service.Ports[1])); got != want {
			t.Errorf("%s: the numbers are %s, want %s", what, got, want)
		}
	}
	expect("two versions", "[8080 9090] [9000]")
	c.Apply([]Change{{Ref: pod("2", 0, false).Ref()}})
	expect("one version", "[9090] [9000]")
	c.Apply([]Change{{Ref: service.Ref()}})
	c.Apply([]Change{Set(service)})
	expect("a Service that was created again", "[9090] [9000]")
	c.Apply([]Change{{Ref: pod("1", 0, false).Ref()}})
	expect("no pods", "[6060] [9000]")
	if len(c.targetPorts) != 0 {
		t.Errorf("%d counts are left without pods", len(c.targetPorts))
	}
}
