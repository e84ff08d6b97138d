package podinit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/injector/inject/initconfig"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
)

// TestPrepare_LimitsGateways checks that the limits of the pod reach the bootstrap, and that a pod of an earlier operator, without limits, starts.
func TestPrepare_LimitsGateways(t *testing.T) {
	args, err := initconfig.Arguments(initconfig.Document{Bootstrap: bootstrap.Config{
		Gateway: true, TrustDomain: "cluster.local", XDSHost: "osm-controller.osm-system.svc.cluster.local", XDSPort: 15128,
	}})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		env    map[string]string
		want   []string
		absent string
		failed string
	}{
		"limits": {map[string]string{"GATEWAY_MEMORY_LIMIT": "536870912", "GATEWAY_LISTENERS": "gateway_80,gateway_443"}, []string{"listener.gateway_80.connection_limit: 6144", "listener.gateway_443.connection_limit: 6144", "max_heap_size_bytes"}, "", ""},
		"none":   {nil, []string{"max_active_downstream_connections"}, "max_heap_size_bytes", ""},
		"text":   {map[string]string{"GATEWAY_MEMORY_LIMIT": "much"}, nil, "", "GATEWAY_MEMORY_LIMIT is not a number of bytes"},
	} {
		dirs := testDirs(t)
		err := Prepare(args, environment(test.env), dirs, resolverPath(t))
		if test.failed != "" {
			if err == nil || !strings.Contains(err.Error(), test.failed) {
				t.Errorf("%s: %v, want %q", name, err, test.failed)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(dirs.Config, bootstrap.BootstrapFile))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range test.want {
			if !strings.Contains(string(content), want) {
				t.Errorf("%s: the bootstrap lacks %q", name, want)
			}
		}
		if test.absent != "" && strings.Contains(string(content), test.absent) {
			t.Errorf("%s: the bootstrap has %q", name, test.absent)
		}
	}
}

// TestPrepare_LimitsSidecars checks that the memory limit of a sidecar reaches its bootstrap.
func TestPrepare_LimitsSidecars(t *testing.T) {
	for limit, limited := range map[string]bool{"134217728": true, "": false} {
		ns, dirs := nstest.New(t), testDirs(t)
		var err error
		ns.Do(func() {
			err = Prepare(arguments(t), environment(map[string]string{"MEMORY_LIMIT": limit}), dirs, resolverPath(t))
		})
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(dirs.Config, bootstrap.BootstrapFile))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(content), "max_heap_size_bytes") != limited {
			t.Errorf("with the memory limit %q the heap is limited: %t", limit, !limited)
		}
	}
}
