package inject

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/injector/inject/initconfig"
)

// A sidecar uses the control plane host from its injection for its whole lifetime.
func TestMutate_SetsXDSHost(t *testing.T) {
	for _, c := range []struct{ given, want string }{
		{"", "osm-controller.osm-system.svc.cluster.local"},
		{"osm-controller-v0-2-0.osm-system.svc.cluster.local", "osm-controller-v0-2-0.osm-system.svc.cluster.local"},
	} {
		config := testConfig()
		config.XDSHost = c.given
		pod, err := Mutate(parsePod(t, `{spec: {containers: [{name: app}]}}`), testNamespace(), config, testUUID)
		if err != nil {
			t.Fatal(err)
		}
		document, err := initconfig.Parse(pod.Spec.InitContainers[0].Args)
		if err != nil {
			t.Fatal(err)
		}
		if got := document.Bootstrap.XDSHost; got != c.want {
			t.Errorf("with XDSHost %q the bootstrap has %q, want %q", c.given, got, c.want)
		}
	}
}
