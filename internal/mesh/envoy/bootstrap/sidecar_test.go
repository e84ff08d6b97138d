package bootstrap

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/injector/redirect"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
)

const timeout = 20 * time.Second

// sidecar is a real Envoy in a pod's network namespace, with the sidecar's user, and a kubelet outside the pod.
type sidecar struct {
	pod, kubelet *nstest.Namespace
	authority    *authority
	dirs         Dirs
}

// startSidecar sets up the network, renders the bootstrap and starts Envoy without a control plane.
func startSidecar(t *testing.T, probes ...Probe) *sidecar {
	t.Helper()
	envoy := envoytest.Binary(t)
	s := &sidecar{pod: nstest.New(t), kubelet: nstest.New(t), authority: newAuthority(t)}
	nstest.Connect(t, "eth0", s.pod, []string{"10.9.0.1/24", "fd00:9::1/64"}, s.kubelet, []string{"10.9.0.2/24", "fd00:9::2/64"})
	rules := redirect.Config{}
	for _, p := range probes {
		rules.ProbePorts = append(rules.ProbePorts, p.ListenPort)
	}
	var err error
	s.pod.Do(func() { err = redirect.Apply(rules) })
	if err != nil {
		t.Fatal(err)
	}
	config := with(func(c *Config) {
		c.XDSHost, c.Probes = "127.0.0.1", probes
		c.PodIPs = []netip.Addr{netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("fd00:9::1")}
	})
	dir := installed(t, &config)
	root := filepath.Dir(dir)
	s.dirs = config.Dirs
	s.mount(t, s.dirs.Token, "token", []byte("token-1"))
	s.mount(t, s.dirs.Trust, "ca.crt", s.authority.rootPEM)
	// The sidecar's user needs access to its files, as in a pod.
	for _, path := range []string{root, filepath.Dir(root)} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(root, "envoy")
	placeProgram(t, envoy, program)
	log := &bytes.Buffer{}
	cmd := exec.Command(program, "--config-path", filepath.Join(dir, BootstrapFile), "--log-level", "warning", "--disable-hot-restart", "--concurrency", "1")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: names.ProxyUID, Gid: names.ProxyUID}}
	// Registered before Start registers its own cleanup, so it runs after the process has ended.
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of Envoy:\n%s", log)
		}
	})
	s.pod.Start(t, cmd)
	return s
}

// placeProgram copies a program to a place where every user can execute it.
func placeProgram(t *testing.T, from, to string) {
	t.Helper()
	if os.Link(from, to) == nil {
		return
	}
	source, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	if _, err := io.Copy(target, source); err != nil {
		t.Fatal(err)
	}
}

// mount writes a file into a volume as the kubelet does: a new directory, then one rename of a symbolic link.
func (s *sidecar) mount(t *testing.T, dir, file string, content []byte) {
	t.Helper()
	version := fmt.Sprintf("..%d", time.Now().UnixNano())
	writeFile(t, filepath.Join(dir, version, file), content)
	next, data, visible := filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data"), filepath.Join(dir, file)
	if err := os.Symlink(version, next); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, data); err != nil {
		t.Fatal(err)
	}
	if target, err := os.Readlink(visible); err == nil && target == filepath.Join("..data", file) {
		return
	}
	if err := os.RemoveAll(visible); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join("..data", file), visible); err != nil {
		t.Fatal(err)
	}
}

// status requests a URL from a network namespace and returns the status code, or 0 without a response.
func status(ns *nstest.Namespace, url string) int {
	code, _ := get(ns, url)
	return code
}

func get(ns *nstest.Namespace, url string) (int, string) {
	response, err := ns.HTTP().Get(url)
	if err != nil {
		return 0, ""
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(body)
}

// configure starts the control plane's responses.
func (s *sidecar) configure(t *testing.T) {
	t.Helper()
	ads, _ := serveADS(t, s.pod, s.authority, "ads.cluster.local")
	close(ads.answer)
	s.awaitReady(t)
}

const readyURL = "http://10.9.0.1:15905/ready"

func (s *sidecar) awaitReady(t *testing.T) {
	t.Helper()
	eventually.True(t, timeout, "the sidecar is ready", func() bool { return status(s.kubelet, readyURL) == 200 })
}
