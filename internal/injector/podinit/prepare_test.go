package podinit

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/openservicemesh/osm-operator/internal/injector/inject/initconfig"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
)

func environment(change map[string]string) func(string) string {
	values := map[string]string{
		envPodIP: "10.244.0.7", envPodIPs: "10.244.0.7,fd00::7", envPodName: "bookbuyer-1", envPodNamespace: "bookbuyer",
		envPodUID: "12ab", envServiceAccount: "buyer", names.PodRegionEnv: "north", names.PodZoneEnv: "north-2",
	}
	for name, value := range change {
		values[name] = value
	}
	return func(name string) string { return values[name] }
}

func arguments(t *testing.T) []string {
	t.Helper()
	args, err := initconfig.Arguments(initconfig.Document{Bootstrap: bootstrap.Config{
		ProxyUUID: "7f7c1f0e", TrustDomain: "cluster.local", XDSHost: "osm-controller.osm-system.svc.cluster.local", XDSPort: 15128,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return args
}

func testDirs(t *testing.T) bootstrap.Dirs {
	return bootstrap.Dirs{Config: t.TempDir(), Token: "/token", Trust: "/trust"}
}

// resolverPath returns a file with the name servers of a pod.
func resolverPath(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "resolv.conf")
	content := "# made by the kubelet\nsearch shop.svc.example.org svc.example.org\nnameserver 10.96.0.10\nnameserver fd96::a\nnameserver what\noptions ndots:5\n"
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPrepare_PreparesPod(t *testing.T) {
	ns, dirs := nstest.New(t), testDirs(t)
	// A restarted pod sandbox runs osm-init again.
	for range 2 {
		var err error
		ns.Do(func() { err = Prepare(arguments(t), environment(nil), dirs, resolverPath(t)) })
		if err != nil {
			t.Fatal(err)
		}
	}
	rules, err := ns.Output(exec.Command("nft", "list", "table", "inet", "osm"))
	for _, want := range []string{"redirect to :15001", "10.96.0.10", "fd96::a"} {
		if err != nil || !strings.Contains(string(rules), want) {
			t.Errorf("the rules lack %q: %v\n%s", want, err, rules)
		}
	}
	path := filepath.Join(dirs.Config, bootstrap.BootstrapFile)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"7f7c1f0e.sidecar.buyer.bookbuyer.cluster.local", "cluster: buyer.bookbuyer", "osm-controller.osm-system.svc.example.org", "'::'", "region: north\n", "zone: north-2\n"} {
		if !strings.Contains(string(content), want) {
			t.Errorf("%s lacks %s:\n%s", path, want, content)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("%s has mode %v (%v), want it readable for the sidecar's user", path, info.Mode(), err)
	}
}

func TestPrepare_RejectsInvalidInput(t *testing.T) {
	for name, test := range map[string]struct {
		env  map[string]string
		dirs bootstrap.Dirs
		want string
	}{
		"no service account": {map[string]string{envServiceAccount: ""}, testDirs(t), "SERVICE_ACCOUNT is empty"},
		"bad address":        {map[string]string{envPodIPs: "10.0.0.300"}, testDirs(t), `"10.0.0.300", which is not an IP address`},
		"no volume":          {nil, bootstrap.Dirs{Config: "/does/not/exist", Token: "/t", Trust: "/t"}, "check that its volume is mounted"},
	} {
		t.Run(name, func(t *testing.T) {
			ns := nstest.New(t)
			var err error
			ns.Do(func() { err = Prepare(arguments(t), environment(test.env), test.dirs, resolverPath(t)) })
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want one with %q", err, test.want)
			}
			if out, err := ns.Output(exec.Command("nft", "list", "ruleset")); err != nil || len(out) > 0 {
				t.Errorf("a failed run left rules: %v\n%s", err, out)
			}
		})
	}
}

// TestPrepare_FailsWithoutNetAdmin covers a platform that removes NET_ADMIN.
func TestPrepare_FailsWithoutNetAdmin(t *testing.T) {
	ns, dirs := nstest.New(t), testDirs(t)
	var dropped, err error
	ns.Do(func() {
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		if dropped = unix.Capget(&header, &data[0]); dropped != nil {
			return
		}
		data[0].Effective &^= 1 << unix.CAP_NET_ADMIN
		if dropped = unix.Capset(&header, &data[0]); dropped != nil {
			return
		}
		err = Prepare(arguments(t), environment(nil), dirs, resolverPath(t))
	})
	if dropped != nil {
		t.Fatal(dropped)
	}
	if err == nil || !strings.Contains(err.Error(), "needs the capability NET_ADMIN") {
		t.Errorf("error is %v, want one that names the capability", err)
	}
}

// TestCopyLauncher copies the launcher into the volume of a pod with two slots, again after a restart of the pod, and nothing elsewhere.
func TestCopyLauncher(t *testing.T) {
	program, dir := filepath.Join(t.TempDir(), "program"), t.TempDir()
	if err := os.WriteFile(program, []byte("launcher"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := CopyLauncher(program, dir); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, names.LauncherFile)
	content, err := os.ReadFile(path)
	if err != nil || string(content) != "launcher" {
		t.Errorf("the volume has %q, %v", content, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the launcher has mode %v (%v), want it executable for the sidecar's user", info.Mode(), err)
	}
	if err := CopyLauncher("/does/not/exist", filepath.Join(dir, "missing")); err != nil {
		t.Errorf("a pod with one sidecar: %v", err)
	}
	if err := CopyLauncher("/does/not/exist", dir); err == nil {
		t.Error("an image without the launcher prepares two slots")
	}
}
