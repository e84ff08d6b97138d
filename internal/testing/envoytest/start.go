package envoytest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
)

// logShown is the number of bytes of Envoy's log that a failed test shows.
const logShown = 2048

// flushInterval is how often Envoy writes its access log, in milliseconds. The default is 10 seconds, for which tests of logs would wait.
const flushInterval = "100"

// Install makes a binary available in a directory that every user can read, and returns its path there. The sidecar's user must not read the
// developer's home folder.
func Install(t testing.TB, binary, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "envoy-"+filepath.Base(filepath.Dir(binary)))
	err := os.Link(binary, path)
	if errors.Is(err, syscall.EXDEV) {
		err = copyProgram(binary, path)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatalf("Envoy cannot be installed: %v", err)
	}
	return path
}

// copyProgram copies a program to another file system.
func copyProgram(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	// A program cannot start while another process can write its file. Without the lock, one that a parallel test starts at this moment could.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(to, content, 0o755)
}

// Start runs an installed Envoy as the sidecar's user inside a namespace until the test ends, and waits for its admin port.
// drain is the drain time in whole seconds. A failed test shows Envoy's log. The directory must be readable for every
// user. It returns the process ID.
func Start(t testing.TB, ns *nstest.Namespace, program, dir, name string, drain time.Duration, config *bootstrapv3.Bootstrap, env ...string) int {
	t.Helper()
	base := baseFile(dir, name)
	if err := errors.Join(os.WriteFile(base, nil, 0o666), os.Chmod(base, 0o666)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeMemory(t, base) })
	return start(t, ns, program, dir, name, drain, config, env, "--use-dynamic-base-id", "--base-id-path", base)
}

// HandOver starts a second Envoy that takes over from the first one of Start with the same directory and name. The first one drains, and then lives on.
func HandOver(t testing.TB, ns *nstest.Namespace, program, dir, name string, drain time.Duration, config *bootstrapv3.Bootstrap, env ...string) {
	t.Helper()
	base, err := os.ReadFile(baseFile(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	start(t, ns, program, dir, name+"-later", drain, config, env, "--base-id", strings.TrimSpace(string(base)), "--restart-epoch", "1",
		"--parent-shutdown-time-s", "3600")
}

// baseFile has the number by which Envoys of one pod find each other.
func baseFile(dir, name string) string { return filepath.Join(dir, name+".base") }

// removeMemory removes the shared memory of an Envoy that has ended, which a killed one leaves. base is the file with its number.
func removeMemory(t testing.TB, base string) {
	number, err := os.ReadFile(base)
	if err != nil || len(number) == 0 {
		return // it never started
	}
	// The name ends with ten times the number, as each number has room for the epochs of hot restarts.
	if err := os.Remove("/dev/shm/envoy_shared_memory_" + strings.TrimSpace(string(number)) + "0"); err != nil {
		t.Errorf("the shared memory of an Envoy remains: %v", err)
	}
}

func start(t testing.TB, ns *nstest.Namespace, program, dir, name string, drain time.Duration, config *bootstrapv3.Bootstrap,
	env []string, args ...string,
) int {
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
	args = append([]string{
		"-c", path, "--concurrency", "1", "-l", "warning", "--file-flush-interval-msec", flushInterval,
		"--drain-time-s", strconv.Itoa(int(drain.Seconds())), "--drain-strategy", "immediate",
	}, args...)
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), env...)
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

// Static returns a self-contained configuration: resources that Envoy would fetch over xDS are inlined. Endpoints may be
// missing, which makes the cluster empty. Any other unresolved reference is an error. The resources are not modified.
func Static(resources []envoy.Resource) (*bootstrapv3.Bootstrap_StaticResources, error) {
	s := set{}
	for _, r := range resources {
		s[key{r.TypeURL, r.Name}] = r.Message
	}
	out := &bootstrapv3.Bootstrap_StaticResources{}
	for _, r := range resources {
		switch m := proto.Clone(r.Message).(type) {
		case *clusterv3.Cluster:
			if err := s.cluster(m); err != nil {
				return nil, fmt.Errorf("cluster %q: %w", r.Name, err)
			}
			out.Clusters = append(out.Clusters, m)
		case *listenerv3.Listener:
			if err := s.listener(m); err != nil {
				return nil, fmt.Errorf("listener %q: %w", r.Name, err)
			}
			out.Listeners = append(out.Listeners, m)
		}
	}
	return out, nil
}

type key struct{ typeURL, name string }

type set map[key]proto.Message

func find[M proto.Message](s set, typeURL, name string) (M, error) {
	m, ok := s[key{typeURL, name}].(M)
	if !ok {
		return m, fmt.Errorf("it refers to %q of type %s, which is missing", name, typeURL)
	}
	return m, nil
}

func (s set) cluster(c *clusterv3.Cluster) error {
	if c.GetType() == clusterv3.Cluster_EDS {
		c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC}
		c.EdsClusterConfig = nil
		c.LoadAssignment = &endpointv3.ClusterLoadAssignment{ClusterName: c.GetName()}
		if known, err := find[*endpointv3.ClusterLoadAssignment](s, envoy.EndpointType, c.GetName()); err == nil {
			c.LoadAssignment = known
		}
	}
	sockets := []*corev3.TransportSocket{c.GetTransportSocket()}
	for _, match := range c.GetTransportSocketMatches() {
		sockets = append(sockets, match.GetTransportSocket())
	}
	for _, socket := range sockets {
		if socket == nil {
			continue
		}
		if err := rewrite(socket.GetTypedConfig(), func(m *tlsv3.UpstreamTlsContext) error { return s.tls(m.GetCommonTlsContext()) }); err != nil {
			return err
		}
	}
	return nil
}

func (s set) listener(l *listenerv3.Listener) error {
	chains := l.GetFilterChains()
	if l.GetDefaultFilterChain() != nil {
		chains = append(chains[:len(chains):len(chains)], l.GetDefaultFilterChain())
	}
	for _, chain := range chains {
		for _, f := range chain.GetFilters() {
			if err := s.filter(f); err != nil {
				return fmt.Errorf("chain %q: %w", chain.GetName(), err)
			}
		}
		socket := chain.GetTransportSocket()
		if socket == nil {
			continue
		}
		err := rewrite(socket.GetTypedConfig(), func(m *tlsv3.DownstreamTlsContext) error { return s.tls(m.GetCommonTlsContext()) })
		if err != nil {
			return fmt.Errorf("chain %q: %w", chain.GetName(), err)
		}
	}
	return nil
}

// rewrite modifies the message inside an Any.
func rewrite[M proto.Message](wrapped *anypb.Any, change func(M) error) error {
	m, err := wrapped.UnmarshalNew()
	if err != nil {
		return err
	}
	typed, ok := m.(M)
	if !ok {
		return fmt.Errorf("it holds an unsupported %s", wrapped.GetTypeUrl())
	}
	if err := change(typed); err != nil {
		return err
	}
	return wrapped.MarshalFrom(typed)
}

func isHCM(wrapped *anypb.Any) bool { return wrapped.MessageIs(&hcmv3.HttpConnectionManager{}) }

// Environment variables with the paths of Envoy binaries: the minor version of the sidecars, the one before, and that of sidecars of Open Service Mesh.
const (
	BinaryVariable  = "ENVOY_BIN"
	EarlierVariable = "EARLIER_ENVOY_BIN"
	OldestVariable  = "OLDEST_ENVOY_BIN"
)

// Binary returns the path of the Envoy binary. It fails the test without one.
func Binary(t testing.TB) string {
	t.Helper()
	return binary(t, BinaryVariable)
}

// Binaries returns the paths of the Envoy binaries of all supported minor versions, by environment variable. It fails the test
// if one is missing.
func Binaries(t testing.TB) map[string]string {
	t.Helper()
	return map[string]string{BinaryVariable: Binary(t), EarlierVariable: binary(t, EarlierVariable)}
}

// Oldest returns the path of the Envoy binary that sidecars of Open Service Mesh run. It fails the test without one.
func Oldest(t testing.TB) string {
	t.Helper()
	return binary(t, OldestVariable)
}

func binary(t testing.TB, variable string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Fatalf("%s is not set: this test runs the real Envoy, set it to the path of the binary", variable)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s does not name an Envoy binary: %v", variable, err)
	}
	return path
}
