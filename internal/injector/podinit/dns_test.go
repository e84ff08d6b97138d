package podinit

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestControlPlaneIsFoundInAnyClusterDomain reads the name resolution of pods in clusters with several domains.
func TestControlPlaneIsFoundInAnyClusterDomain(t *testing.T) {
	const host = "osm-controller.osm-system.svc.cluster.local"
	for name, test := range map[string]struct{ file, host, want string }{
		"the usual domain":    {"search shop.svc.cluster.local svc.cluster.local cluster.local\n", host, host},
		"another domain":      {"nameserver 10.96.0.10\nsearch shop.svc.k8s.example.com svc.k8s.example.com k8s.example.com example.com\noptions ndots:5\n", host, "osm-controller.osm-system.svc.k8s.example.com"},
		"a trailing dot":      {"search shop.svc.corp. svc.corp. corp.\n", host, "osm-controller.osm-system.svc.corp"},
		"the last line wins":  {"search svc.one\nsearch svc.two\n", host, "osm-controller.osm-system.svc.two"},
		"the DNS of the node": {"nameserver 192.0.2.1\nsearch example.com\n", host, host},
		"an empty file":       {"", host, host},
		"a custom host":       {"search svc.corp\n", "control.example.com", "control.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "resolv.conf")
			if err := os.WriteFile(path, []byte(test.file), 0o644); err != nil {
				t.Fatal(err)
			}
			d, err := readDNS(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := d.hostOf(test.host); got != test.want {
				t.Errorf("the host is %s, want %s", got, test.want)
			}
		})
	}
	if d, err := readDNS(filepath.Join(t.TempDir(), "missing")); err != nil || d.hostOf(host) != host {
		t.Errorf("without a file: %+v, %v", d, err)
	}
	if names.ServiceHost("osm-controller", "osm-system") != host {
		t.Error("the host of the control plane does not end with the default domain")
	}
}
