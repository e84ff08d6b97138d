package names

import "testing"

func TestComponentWithSuffix(t *testing.T) {
	for app, want := range map[string]string{
		Controller: Controller, Injector: Injector,
		WithSuffix(Controller, ""): Controller, WithSuffix(Controller, "v0-2-0"): Controller, WithSuffix(Injector, "dev"): Injector,
		"osm-controllers": "", "osm": "", "": "", "osm-operator": "", "bookstore": "",
	} {
		if got := Component(app); got != want {
			t.Errorf("Component(%q) = %q, want %q", app, got, want)
		}
	}
}
