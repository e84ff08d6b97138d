package scripts_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/openservicemesh/osm-operator/internal/cli"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	testenv "github.com/openservicemesh/osm-operator/internal/testing/envtest"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// suite runs all tests against one API server.
type suite struct{ m *testing.M }

var (
	// kubeconfig is the path of the administrator's kubeconfig for the API server of this run.
	kubeconfig string
	// apiServer is how to reach it as the administrator.
	apiServer *rest.Config
)

func TestMain(m *testing.M) {
	testscript.Main(suite{m}, map[string]func(){"osm": func() { osm("osm") }, "kubectl-osm": func() { osm("kubectl-osm") }, "xdg-open": browse, "open": browse})
}

// browse plays the browser of the machine: it writes the page that it is given into the file "seen".
func browse() {
	if err := save(os.Args[1], "seen"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func save(page, file string) error {
	response, err := http.Get(page)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	return os.WriteFile(file, content, 0o600)
}

// osm is the command under test, by the name it is called by, in a process of its own.
func osm(program string) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(cli.Run(ctx, program, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}

// Run implements testscript.TestingM.
func (s suite) Run() int {
	code, err := s.run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func (s suite) run() (int, error) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return 1, fmt.Errorf("these tests need an API server: set KUBEBUILDER_ASSETS to the folder that \"go run -C hack ./cluster assets\" prints")
	}
	definitions := filepath.Join("..", "..", "..", "config", "crd")
	environment := &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join(definitions, "bases"), filepath.Join(definitions, "smi")},
		ErrorIfCRDPathMissing: true,
	}
	// Some scripts have Services with addresses of this range. In a range of this size, other Services get addresses beyond the first 256.
	environment.ControlPlane.GetAPIServer().Configure().Set("service-cluster-ip-range", "10.0.0.0/16")
	stopGuard, err := testenv.Guard(environment)
	if err != nil {
		return 1, err
	}
	defer func() { _ = stopGuard() }()
	if _, err := environment.Start(); err != nil {
		return 1, fmt.Errorf("the API server does not start: %w", err)
	}
	defer func() { _ = environment.Stop() }()
	apiServer = environment.Config
	folder, err := os.MkdirTemp("", "osm-scripts-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(folder)
	kubeconfig = filepath.Join(folder, "kubeconfig")
	if err := os.WriteFile(kubeconfig, environment.KubeConfig, 0o600); err != nil {
		return 1, err
	}
	return s.m.Run(), nil
}

// stories runs the scripts of a folder.
func stories(t *testing.T, folder string, more ...func(*testscript.Env) error) {
	testscript.Run(t, testscript.Params{
		Dir:  filepath.Join("testdata", folder),
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"own": ownPods, "remedies": tryRemedies},
		Setup: func(env *testscript.Env) error {
			env.Setenv("KUBECONFIG", kubeconfig)
			bookstore, err := filepath.Abs(filepath.Join("..", "..", "..", "config", "samples", "bookstore"))
			if err != nil {
				return err
			}
			env.Setenv("BOOKSTORE", bookstore)
			env.Setenv("PATH", os.Getenv("KUBEBUILDER_ASSETS")+string(os.PathListSeparator)+env.Getenv("PATH"))
			for _, prepare := range more {
				if err := prepare(env); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

// The tests run in this order: the first ones need a cluster to which nobody has added a mesh yet.

func TestOffline(t *testing.T) { stories(t, "offline") }

func TestWithoutMesh(t *testing.T) { stories(t, "empty") }

func TestMesh(t *testing.T) { stories(t, "mesh") }

func TestPods(t *testing.T) {
	authority := pki.New(t)
	stories(t, "pods", func(env *testscript.Env) error { return playPods(t, env, authority) })
}

func TestTeardown(t *testing.T) { stories(t, "teardown") }

// TestFreshCluster runs after TestTeardown, which deletes all definitions.
func TestFreshCluster(t *testing.T) {
	late := &lateDefinitions{seen: map[string]bool{}}
	t.Cleanup(func() {
		if len(late.seen) == 0 {
			t.Error("no definition was established late")
		}
	})
	stories(t, "fresh", late.serve)
}

// playPods lets the files below the script's folder "pods" answer for pods; the report of the control plane (port 9094) is
// secured by a root whose certificate is the file ca.crt.
func playPods(t *testing.T, env *testscript.Env, authority *pki.Authority) error {
	chain, key := authority.Issue(t, identity.ServiceAccount{Namespace: "cluster", Name: "report"}, "local")
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return err
	}
	front, err := newFakePods(apiServer, filepath.Join(env.WorkDir, "pods"), map[string]tls.Certificate{strconv.Itoa(names.ReportPort): pair})
	if err != nil {
		return err
	}
	env.Defer(front.close)
	if err := os.WriteFile(filepath.Join(env.WorkDir, "ca.crt"), authority.RootPEM, 0o600); err != nil {
		return err
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["front"] = &clientcmdapi.Cluster{Server: front.url, CertificateAuthorityData: front.ca}
	config.AuthInfos["administrator"] = &clientcmdapi.AuthInfo{Token: "administrator"}
	config.Contexts["front"] = &clientcmdapi.Context{Cluster: "front", AuthInfo: "administrator"}
	config.CurrentContext = "front"
	path := filepath.Join(env.WorkDir, "kubeconfig")
	env.Setenv("KUBECONFIG", path)
	return clientcmd.WriteToFile(*config, path)
}
