package scripts_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/openservicemesh/osm-operator/internal/cli"
)

// suite runs all tests against one API server.
type suite struct{ m *testing.M }

// kubeconfig is the path of the administrator's kubeconfig for the API server of this run.
var kubeconfig string

func TestMain(m *testing.M) {
	testscript.Main(suite{m}, map[string]func(){"osm": osm})
}

// osm is the command under test, in a process of its own.
func osm() {
	os.Exit(cli.Run(context.Background(), "osm", os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
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
	if _, err := environment.Start(); err != nil {
		return 1, fmt.Errorf("the API server does not start: %w", err)
	}
	defer func() { _ = environment.Stop() }()
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
func stories(t *testing.T, folder string) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", folder),
		Setup: func(env *testscript.Env) error {
			env.Setenv("KUBECONFIG", kubeconfig)
			bookstore, err := filepath.Abs(filepath.Join("..", "..", "..", "config", "samples", "bookstore"))
			if err != nil {
				return err
			}
			env.Setenv("BOOKSTORE", bookstore)
			env.Setenv("PATH", os.Getenv("KUBEBUILDER_ASSETS")+string(os.PathListSeparator)+env.Getenv("PATH"))
			return nil
		},
	})
}

// The tests run in this order: the first ones need a cluster to which nobody has added a mesh yet.

func TestOffline(t *testing.T) { stories(t, "offline") }

func TestWithoutMesh(t *testing.T) { stories(t, "empty") }

func TestMesh(t *testing.T) { stories(t, "mesh") }

func TestTeardown(t *testing.T) { stories(t, "teardown") }
