package endtoend

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/config/crd"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	testenv "github.com/openservicemesh/osm-operator/internal/testing/envtest"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/procusage"
)

const (
	// namespace is that of the control plane.
	namespace = "osm-system"
	// readyPath is the readiness of the controller.
	readyPath = "/health/ready"
	// startLimit is how long the controller may take to read the mesh, stopLimit how long it may take to end.
	startLimit, stopLimit = 5 * time.Minute, 40 * time.Second
)

// controller is the running osm-controller, or the osm-operator.
type controller struct {
	*testing.B
	command *exec.Cmd
	// started is how long it took to be ready.
	started time.Duration
}

// build compiles a program of this checkout and returns its path.
func build(b *testing.B, name string) string {
	b.Helper()
	program := filepath.Join(b.TempDir(), "osm-"+name)
	if text, err := exec.Command("go", "build", "-o", program, "github.com/openservicemesh/osm-operator/cmd/"+name).CombinedOutput(); err != nil {
		b.Fatalf("%v:\n%s", err, text)
	}
	return program
}

// run starts a program, which ends with the benchmark. start runs it.
func run(b *testing.B, command *exec.Cmd, start func(*exec.Cmd) error) *controller {
	b.Helper()
	log, err := os.Create(filepath.Join(b.TempDir(), "program.log"))
	must(b, err)
	command.Stdout, command.Stderr = log, log
	must(b, start(command))
	c := &controller{B: b, command: command}
	b.Cleanup(func() {
		c.stop()
		if text, err := os.ReadFile(log.Name()); err == nil && b.Failed() {
			const shown = 2048
			b.Logf("the end of its log:\n%s", text[max(0, len(text)-shown):])
		}
		must(b, log.Close())
	})
	return c
}

// stop ends the process, unless it has been ended.
func (c *controller) stop() {
	if c.command.ProcessState != nil {
		return
	}
	_ = c.command.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(stopLimit, func() { _ = c.command.Process.Kill() })
	defer kill.Stop()
	_ = c.command.Wait() // ended by the signal
}

// startController starts the controller with an authority and waits until it has read the mesh. start runs it.
func startController(b *testing.B, program, kubeconfig string, root *certificate.Root, start func(*exec.Cmd) error) *controller {
	b.Helper()
	dir := b.TempDir()
	writeAuthority(b, dir, root)
	command := exec.Command(program,
		"--mesh-name="+meshName, "--osm-namespace="+namespace, "--trust-domain="+mesh.TrustDomain, "--revision="+mesh.Revision,
		"--ca-dir="+dir, "--webhook-cert-dir="+dir)
	command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "CONTROLLER_POD_NAME=controller-0")
	begun := time.Now()
	c := run(b, command, start)
	url := fmt.Sprintf("http://127.0.0.1:%d%s", names.HealthPort, readyPath)
	eventually.True(b, startLimit, "the controller is ready", func() bool {
		answer, err := http.Get(url)
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	c.started = time.Since(begun)
	return c
}

// writeAuthority writes the files that the operator mounts: the authority, and a certificate for the webhook.
func writeAuthority(b *testing.B, dir string, root *certificate.Root) {
	b.Helper()
	key, err := root.KeyPEM()
	must(b, err)
	for name, content := range map[string][]byte{"ca.crt": root.CertPEM(), "private.key": key, "tls.crt": root.CertPEM(), "tls.key": key} {
		must(b, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
}

// usage returns what the controller has used so far.
func (c *controller) usage() procusage.Usage {
	c.Helper()
	used, err := procusage.Of(c.command.Process.Pid)
	must(c.B, err)
	return used
}

// serviceRange contains the addresses of the generated Services.
const serviceRange = "172.0.0.0/12"

// cluster is an API server with the definitions of the mesh.
type cluster struct {
	*testing.B
	environment *envtest.Environment
	client      client.WithWatch
	// kubeconfig is the path of an administrator's.
	kubeconfig string
}

// gatewayDefinitions returns the files with definitions of the Gateway API.
func gatewayDefinitions(b *testing.B, kinds ...string) []string {
	b.Helper()
	folder, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	must(b, err)
	var files []string
	for _, kind := range kinds {
		files = append(files, filepath.Join(strings.TrimSpace(string(folder)), "config", "crd", "standard", "gateway.networking.k8s.io_"+kind+".yaml"))
	}
	return files
}

// userName is the user of the program that is measured.
const userName = "osm-controller"

// startCluster starts an API server and its etcd, which end with the benchmark. KUBEBUILDER_ASSETS names the folder of the programs. requests is nil if
// nobody counts them.
func startCluster(b *testing.B, requests *audit) *cluster {
	b.Helper()
	definitions, err := testenv.ReadDefinitions(crd.Own, crd.SMI)
	must(b, err)
	c := &cluster{B: b, environment: &envtest.Environment{
		CRDInstallOptions: envtest.CRDInstallOptions{CRDs: definitions, Paths: gatewayDefinitions(b, "httproutes", "referencegrants")}, ControlPlaneStopTimeout: 20 * time.Second,
	}, kubeconfig: filepath.Join(b.TempDir(), "kubeconfig")}
	arguments := c.environment.ControlPlane.GetAPIServer().Configure()
	arguments.Set("service-cluster-ip-range", serviceRange)
	// Without a controller manager, nothing creates the default service account of a namespace.
	arguments.Append("disable-admission-plugins", "ServiceAccount")
	if requests != nil {
		arguments.Set("audit-policy-file", requests.policy)
		arguments.Set("audit-log-path", requests.log)
	}
	// The programs share a core with the sidecars and rarely collect garbage, as that would be the slowest part of what is measured: a real API server
	// has more cores. The controller collects as usual.
	usual := os.Getenv(collection)
	b.Setenv(collection, "800")
	b.Setenv(memoryLimit, "8GiB") // ten thousand pods that change would need 20 GB
	config, err := c.environment.Start()
	b.Setenv(collection, usual)
	b.Setenv(memoryLimit, "off")
	must(b, err)
	b.Cleanup(func() { must(b, c.environment.Stop()) })
	c.connect(config)
	return c
}

// collection is the variable that says how often programs of Go collect garbage. An empty value is the default.
const collection = "GOGC"

// memoryLimit is the variable with the memory at which programs of Go collect garbage anyway. The programs that are measured have none.
const memoryLimit = "GOMEMLIMIT"

func (c *cluster) connect(config *rest.Config) {
	c.Helper()
	config.QPS, config.Burst = -1, -1
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, configv1alpha2.AddToScheme, v1alpha1.AddToScheme} {
		must(c.B, add(scheme))
	}
	var err error
	c.client, err = client.NewWithWatch(config, client.Options{Scheme: scheme})
	must(c.B, err)
	user, err := c.environment.AddUser(envtest.User{Name: userName, Groups: []string{"system:masters"}}, nil)
	must(c.B, err)
	text, err := user.KubeConfig()
	must(c.B, err)
	must(c.B, os.WriteFile(c.kubeconfig, text, 0o600))
}
