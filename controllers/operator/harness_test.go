package operator_test

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/controllers/operator"
	"github.com/openservicemesh/osm-operator/controllers/operator/vitals"
	"github.com/openservicemesh/osm-operator/internal/contract"
	"github.com/openservicemesh/osm-operator/internal/logging"
	"github.com/openservicemesh/osm-operator/internal/operand"
)

const (
	// operatorVersion is the version that the operator under test says it is.
	operatorVersion = "v0.1.0"
	// olderVersion is another version that it can install.
	olderVersion = "v0.0.9"
	// ancientVersion has none of the flags that a canary needs.
	ancientVersion = "v0.0.8"
	// latestVersion is a correction of the operator's own.
	latestVersion = "v0.1.1"
	// nextVersion comes after that of the operator, and distantVersion after that: no mesh goes there from the others at once.
	nextVersion    = "v0.2.0"
	distantVersion = "v0.3.0"
	// patience is how long something may take that should take milliseconds, on a machine that does other things as well.
	patience = time.Minute
)

// cluster is an API server with the operator running against it. There is no garbage collector, no kubelet and no Deployment
// controller: tests say when pods are ready.
var cluster struct {
	client  client.Client
	writes  *writeCounter
	kubelet *kubelet
	linter  *linter
	patient *patient
	metrics *prometheus.Registry
	// rest connects as the operator, uncounted.
	rest *rest.Config
	// restart replaces the operator by another one, as when its pod is lost.
	restart func(*testing.T)
}

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := runSuite(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// runSuite starts the API server and the operator, and runs all tests against them.
func runSuite(m *testing.M) (int, error) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return 1, fmt.Errorf("these tests need an API server: set KUBEBUILDER_ASSETS to the folder that \"go run -C hack ./cluster assets\" prints")
	}
	environment := &envtest.Environment{CRDDirectoryPaths: []string{filepath.Join("..", "..", "config", "crd", "bases")}, ErrorIfCRDPathMissing: true}
	cfg, err := environment.Start()
	if err != nil {
		return 1, fmt.Errorf("the API server does not start: %w", err)
	}
	defer func() { _ = environment.Stop() }()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	if err := startOperator(ctx, &running, environment, cfg); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// startOperator starts the operator, and what stands in for the rest of a cluster.
func startOperator(ctx context.Context, running *sync.WaitGroup, environment *envtest.Environment, cfg *rest.Config) error {
	logger := logr.Discard()
	if testing.Verbose() {
		logger = logging.New("info").Logger
	}
	log.SetLogger(logger)
	scheme, err := operator.Scheme()
	if err != nil {
		return err
	}
	// The client of the tests watches as well, so that the linter sees every status.
	watching, err := client.NewWithWatch(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	cluster.client = watching
	cluster.writes = &writeCounter{}
	cluster.patient = &patient{readings: map[string]vitals.Reading{}}
	counted, err := asOperator(ctx, environment, watching)
	if err != nil {
		return err
	}
	cluster.rest = rest.CopyConfig(counted)
	counted.Wrap(func(next http.RoundTripper) http.RoundTripper { return &counting{next: next, counter: cluster.writes} })
	catalogue, err := versions()
	if err != nil {
		return err
	}
	start := func() (func(), error) {
		cluster.metrics = prometheus.NewRegistry()
		mgr, err := operator.NewManager(counted, operator.Options{
			Catalogue: catalogue, Namespace: "osm-operator-system", Now: time.Now, Logger: logger, ProbeAddress: "0",
			Metrics: metricsserver.Options{BindAddress: "0"}, SeveralInOneProcess: true,
			Vitals: cluster.patient, Contract: promises(), Registry: cluster.metrics,
		})
		if err != nil {
			return nil, err
		}
		living, stop := context.WithCancel(ctx)
		ended := make(chan struct{})
		running.Go(func() { defer close(ended); _ = mgr.Start(living) })
		return func() { stop(); <-ended }, nil
	}
	stop, err := start()
	if err != nil {
		return err
	}
	cluster.restart = func(t *testing.T) {
		t.Helper()
		stop()
		if stop, err = start(); err != nil {
			t.Fatal(err)
		}
	}
	cluster.kubelet = newKubelet(watching)
	cluster.linter = newLinter()
	running.Go(func() { cluster.kubelet.run(ctx) })
	return cluster.linter.start(ctx, running, watching)
}

// promises lets a mesh go between the two usual versions, and to the distant one by none of them.
func promises() contract.Table {
	all := []string{"1", "2"}
	return contract.Table{
		{Minor: "v0.0", Bootstrap: "1", Envoy: "1.40", Bootstraps: all, Envoys: []string{"1.40"}},
		{Minor: "v0.1", Bootstrap: "2", Envoy: "1.40", Bootstraps: all, Envoys: []string{"1.40"}},
		{Minor: "v0.2", Bootstrap: "2", Envoy: "1.40", Bootstraps: all, Envoys: []string{"1.40"}},
		{Minor: "v0.3", Bootstrap: "2", Envoy: "1.40", Bootstraps: []string{"2"}, Envoys: []string{"1.40"}},
	}
}

// besideFlags are the arguments that a version before canaries did not have.
var besideFlags = regexp.MustCompile(`(?m)^\s*- --(xds-host|write-status)=.*\n`)

// versions are the manifests of this source under several versions, so that a mesh can go from one to the other.
func versions() (*operand.Catalogue, error) {
	current := os.DirFS(filepath.Join("..", "..", "internal", "operand", "manifests", "current"))
	files := fstest.MapFS{}
	entries, err := fs.ReadDir(current, ".")
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		content, err := fs.ReadFile(current, entry.Name())
		if err != nil {
			return nil, err
		}
		files["current/"+entry.Name()] = &fstest.MapFile{Data: content}
		for _, version := range []string{olderVersion, latestVersion, nextVersion, distantVersion} {
			files[version+"/"+entry.Name()] = &fstest.MapFile{Data: content}
		}
		files[ancientVersion+"/"+entry.Name()] = &fstest.MapFile{Data: besideFlags.ReplaceAll(content, nil)}
	}
	return operand.OpenCatalogue(files, operatorVersion, operand.Images{
		Controller: "example/controller:1", Injector: "example/injector:1", Init: "example/init:1", Sidecar: "example/envoy:1",
	})
}

// asOperator makes a user with exactly the permissions that the operator is installed with, so that every test proves them, too.
func asOperator(ctx context.Context, environment *envtest.Environment, c client.Client) (*rest.Config, error) {
	content, err := os.ReadFile(filepath.Join("..", "..", "config", "rbac", "role.yaml"))
	if err != nil {
		return nil, err
	}
	role := &rbacv1.ClusterRole{}
	if err := yaml.UnmarshalStrict(content, role); err != nil {
		return nil, err
	}
	if err := c.Create(ctx, role); err != nil {
		return nil, err
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "osm-operator"}},
	}
	if err := c.Create(ctx, binding); err != nil {
		return nil, err
	}
	user, err := environment.AddUser(envtest.User{Name: "osm-operator"}, nil)
	if err != nil {
		return nil, err
	}
	return user.Config(), nil
}

// writeCounter counts the requests of the operator that change something, except for leases and reviews.
type writeCounter struct {
	count atomic.Int64
	mu    sync.Mutex
	seen  []string
}

// counting is a transport that counts.
type counting struct {
	next    http.RoundTripper
	counter *writeCounter
}

func (c *counting) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method != http.MethodGet && !strings.Contains(request.URL.Path, "/leases") {
		c.counter.count.Add(1)
		c.counter.mu.Lock()
		c.counter.seen = append(c.counter.seen, request.Method+" "+request.URL.Path)
		c.counter.mu.Unlock()
	}
	return c.next.RoundTrip(request)
}

// since lists the requests after the first n.
func (w *writeCounter) since(n int64) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.seen[n:]...)
}

// eventually waits until check has no complaint.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	within(t, patience, check)
}

// within is eventually for what takes longer.
func within(t *testing.T, patience time.Duration, check func() error) {
	t.Helper()
	var last error
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		if last = check(); last == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("not within %s: %v", patience, last)
}
