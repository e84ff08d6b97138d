package envoytest

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
)

// logShown is the number of bytes of Envoy's log that a failed test shows.
const logShown = 2048

// Install copies a binary to a directory that every user can read, and returns the path of the copy. The sidecar's user must not
// read the developer's home folder.
func Install(t testing.TB, binary, dir string) string {
	t.Helper()
	source, err := os.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	path := filepath.Join(dir, "envoy-"+filepath.Base(filepath.Dir(binary)))
	target, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = io.Copy(target, source); err == nil {
		err = target.Close()
	}
	if err != nil {
		t.Fatalf("Envoy cannot be copied: %v", err)
	}
	return path
}

// Start runs an installed Envoy as the sidecar's user inside a namespace until the test ends, and waits for its admin port.
// drain is the drain time in whole seconds. A failed test shows Envoy's log. The directory must be readable for every
// user. It returns the process ID.
func Start(t testing.TB, ns *nstest.Namespace, program, dir, name string, drain time.Duration, config *bootstrapv3.Bootstrap) int {
	t.Helper()
	text, err := protojson.Marshal(config)
	if err != nil {
		t.Fatalf("the bootstrap of %s cannot be written as JSON: %v", name, err)
	}
	path := filepath.Join(dir, name+".json")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer log.Close()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("end of the log of %s:\n%s", name, text[max(0, len(text)-logShown):])
		}
	})
	cmd := exec.Command(program, "-c", path, "--use-dynamic-base-id", "--concurrency", "1", "-l", "warning",
		"--drain-time-s", strconv.Itoa(int(drain.Seconds())), "--drain-strategy", "immediate")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: names.ProxyUID, Gid: names.ProxyUID}}
	ns.Start(t, cmd)
	client := ns.HTTP()
	eventually.True(t, 20*time.Second, name+" responds on its admin port", func() bool {
		answer, err := client.Get("http://127.0.0.1:15000/server_info")
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return true
	})
	return cmd.Process.Pid
}
