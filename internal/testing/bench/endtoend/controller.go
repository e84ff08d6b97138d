package endtoend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
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
	command *exec.Cmd
	log     *os.File
	// started is how long it took to be ready.
	started time.Duration
}

// build compiles the controller of this checkout and returns its path.
func build(ctx context.Context, dir string) (string, error) {
	program := filepath.Join(dir, "osm-controller")
	command := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/openservicemesh/osm-operator/cmd/controller")
	command.Stderr = os.Stderr
	return program, command.Run()
}

// startController starts the controller with an authority and waits until it has read the mesh. start runs it.
func startController(ctx context.Context, program, dir, kubeconfig string, root *certificate.Root, start func(*exec.Cmd) error) (*controller, error) {
	if err := writeAuthority(dir, root); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "controller.log"))
	if err != nil {
		return nil, err
	}
	c := &controller{log: log, command: exec.Command(program,
		"--mesh-name="+meshName, "--osm-namespace="+namespace, "--trust-domain="+mesh.TrustDomain, "--revision="+mesh.Revision,
		"--ca-dir="+dir, "--webhook-cert-dir="+dir)}
	c.command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "CONTROLLER_POD_NAME=controller-0")
	c.command.Stdout, c.command.Stderr = log, log
	begun := time.Now()
	if err := start(c.command); err != nil {
		return nil, err
	}
	if err := awaitReady(ctx); err != nil {
		return nil, errors.Join(err, c.tail(), c.stop())
	}
	c.started = time.Since(begun)
	return c, nil
}

// writeAuthority writes the files that the operator mounts: the authority, and a certificate for the webhook.
func writeAuthority(dir string, root *certificate.Root) error {
	key, err := root.KeyPEM()
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{"ca.crt": root.CertPEM(), "private.key": key, "tls.crt": root.CertPEM(), "tls.key": key} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	url := fmt.Sprintf("http://127.0.0.1:%d%s", names.HealthPort, readyPath)
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if answer, err := http.DefaultClient.Do(request); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the controller is not ready after %s", startLimit)
		case <-ticker.C:
		}
	}
}

// tail returns the end of the log as an error.
func (c *controller) tail() error {
	const shown = 2048
	text, err := os.ReadFile(c.log.Name())
	if err != nil {
		return err
	}
	return fmt.Errorf("the end of its log:\n%s", text[max(0, len(text)-shown):])
}

// stop ends the controller.
func (c *controller) stop() error {
	_ = c.command.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(stopLimit, func() { _ = c.command.Process.Kill() })
	defer kill.Stop()
	_ = c.command.Wait() // ended by the signal
	return c.log.Close()
}

// usage returns what the controller has used so far.
func (c *controller) usage() (procusage.Usage, error) { return procusage.Of(c.command.Process.Pid) }

// serviceRange contains the addresses of the generated Services.
const serviceRange = "172.0.0.0/12"

// cluster is an API server with the definitions of the mesh.
type cluster struct {
	environment *envtest.Environment
	client      client.Client
	// kubeconfig is the path of an administrator's.
	kubeconfig string
}

// gatewayDefinitions returns the files with definitions of the Gateway API.
func gatewayDefinitions(kinds ...string) ([]string, error) {
	folder, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		return nil, fmt.Errorf("the module of the Gateway API cannot be found: %w", err)
	}
	var files []string
	for _, kind := range kinds {
		files = append(files, filepath.Join(strings.TrimSpace(string(folder)), "config", "crd", "standard", "gateway.networking.k8s.io_"+kind+".yaml"))
	}
	return files, nil
}

// userName is the user of the program that is measured.
const userName = "osm-controller"

// startCluster starts an API server and its etcd. KUBEBUILDER_ASSETS names the folder of the programs. requests is nil if nobody counts them.
func startCluster(dir string, requests *audit) (*cluster, error) {
	definitions, err := testenv.ReadDefinitions(crd.Own, crd.SMI)
	if err != nil {
		return nil, err
	}
	routes, err := gatewayDefinitions("httproutes", "referencegrants")
	if err != nil {
		return nil, err
	}
	c := &cluster{environment: &envtest.Environment{
		CRDInstallOptions: envtest.CRDInstallOptions{CRDs: definitions, Paths: routes}, ControlPlaneStopTimeout: 20 * time.Second,
	}, kubeconfig: filepath.Join(dir, "kubeconfig")}
	arguments := c.environment.ControlPlane.GetAPIServer().Configure()
	arguments.Set("service-cluster-ip-range", serviceRange)
	// Without a controller manager, nothing creates the default service account of a namespace.
	arguments.Append("disable-admission-plugins", "ServiceAccount")
	if requests != nil {
		arguments.Set("audit-policy-file", requests.policy)
		arguments.Set("audit-log-path", requests.log)
	}
	config, err := c.startServers()
	if err != nil {
		return nil, fmt.Errorf("the API server cannot be started; KUBEBUILDER_ASSETS names the folder of its programs: %w", err)
	}
	if err := c.connect(config); err != nil {
		return nil, c.stop(err)
	}
	return c, nil
}

// startServers starts the programs. They share a core with the sidecars and rarely collect garbage, as that would be the slowest part of what is measured:
// a real API server has more cores. The controller collects as usual.
func (c *cluster) startServers() (*rest.Config, error) {
	const variable, rarely = "GOGC", "800"
	usual, isSet := os.LookupEnv(variable)
	if err := os.Setenv(variable, rarely); err != nil {
		return nil, err
	}
	config, err := c.environment.Start()
	if !isSet {
		return config, errors.Join(err, os.Unsetenv(variable))
	}
	return config, errors.Join(err, os.Setenv(variable, usual))
}

func (c *cluster) connect(config *rest.Config) error {
	config.QPS, config.Burst = -1, -1
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, configv1alpha2.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	var err error
	if c.client, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	user, err := c.environment.AddUser(envtest.User{Name: userName, Groups: []string{"system:masters"}}, nil)
	if err != nil {
		return err
	}
	text, err := user.KubeConfig()
	if err != nil {
		return err
	}
	return os.WriteFile(c.kubeconfig, text, 0o600)
}

// stop stops the API server and returns the error of the measurement, or else its own.
func (c *cluster) stop(measured error) error {
	if err := c.environment.Stop(); measured == nil {
		return err
	}
	return measured
}
