package leftovers

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMountsBelowReturnsOnlyNestedMountsLastFirst(t *testing.T) {
	const mountinfo = `21 1 0:5 / /proc rw - proc proc rw
30 1 0:9 / /var/lib/osm-local rw - ext4 /dev/sdb rw
31 30 0:10 / /var/lib/osm-local/a rw - tmpfs tmpfs rw
32 31 0:11 / /var/lib/osm-local/a/with\040space rw shared:5 - tmpfs tmpfs rw
33 1 0:12 / /var/lib/osm-local-other rw - tmpfs tmpfs rw
`
	got, err := mountsBelow(strings.NewReader(mountinfo), "/var/lib/osm-local")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/var/lib/osm-local/a/with space", "/var/lib/osm-local/a"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseTablesIgnoresOtherTables(t *testing.T) {
	got := parseTables("table inet filter\ntable ip kube-proxy\ntable ip6 kube-proxy\ntable ip kube-proxy-other\ntable ip cni_hostport\n")
	want := []string{"ip kube-proxy", "ip6 kube-proxy", "ip cni_hostport"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPointsInto(t *testing.T) {
	dir := t.TempDir()
	for target, want := range map[string]bool{
		"/state/logs/x": true, "/state2/logs/x": false, "/state/../etc/x": false, "relative": false,
	} {
		link := filepath.Join(dir, strings.ReplaceAll(target, "/", "_"))
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
		if got := pointsInto(link, "/state"); got != want {
			t.Errorf("a link to %s: pointsInto = %v", target, got)
		}
	}
}

func TestDeadSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	if isDeadSocket(path) {
		t.Error("a socket with a listener is reported as dead")
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if !isDeadSocket(path) {
		t.Error("a socket without a listener is not reported as dead")
	}
}
