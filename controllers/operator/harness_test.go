package operator_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/controllers/operator"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/health"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/compatibility"
	"github.com/openservicemesh/osm-operator/internal/platform/logging"
	testenv "github.com/openservicemesh/osm-operator/internal/testing/envtest"
)

const (
	// operatorVersion is the version of the operator under test.
	operatorVersion = "v0.1.0"
	// olderVersion is an older version that it can install.
	olderVersion = "v0.0.9"
	// latestVersion is a patch release of operatorVersion.
	latestVersion = "v0.1.1"
	// nextVersion is one minor version after operatorVersion, and distantVersion is one after nextVersion.
	nextVersion    = "v0.2.0"
	distantVersion = "v0.3.0"
	// defaultTimeout is the timeout of eventually. It allows for slow machines.
	defaultTimeout = 3 * time.Minute
)

// cluster is an API server with the operator running against it. There is no garbage collector, no kubelet and no Deployment
// controller: tests set the status of pods.
var cluster struct {
	client  client.Client
	writes  *writeCounter
	kubelet *kubelet
	linter  *linter
	health  *fakeHealth
	metrics *prometheus.Registry
	// rest is the configuration of the operator's user, without the write counter.
	rest *rest.Config
	// restart stops the operator and starts another one.
	restart func(*testing.T)
	// kubeconfig is that of an administrator.
	kubeconfig []byte
}

func TestMain(m *testing.M) {
	flag.Parse()
	// Most tests wait for intervals of the operator, so they run side by side on any number of cores.
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
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
	definitions, err := gatewayDefinitions(context.Background())
	if err != nil {
		return 1, err
	}
	definitions = append(definitions, filepath.Join("..", "..", "config", "crd", "bases"))
	environment := &envtest.Environment{
		CRDDirectoryPaths: definitions, ErrorIfCRDPathMissing: true, CRDs: []*apiextensionsv1.CustomResourceDefinition{rolloutDefinition()},
	}
	// The default range has 254 addresses. All tests together create more Services.
	environment.ControlPlane.GetAPIServer().Configure().Set("service-cluster-ip-range", "10.96.0.0/16")
	// Each write of a role or binding reads all of them for the check against escalation. The watch cache delays such reads by up to 100 ms.
	environment.ControlPlane.GetAPIServer().Configure().Set("watch-cache-sizes", strings.Join([]string{
		"roles.rbac.authorization.k8s.io#0", "clusterroles.rbac.authorization.k8s.io#0",
		"rolebindings.rbac.authorization.k8s.io#0", "clusterrolebindings.rbac.authorization.k8s.io#0",
	}, ","))
	stopGuard, err := testenv.Guard(environment)
	if err != nil {
		return 1, err
	}
	defer func() { _ = stopGuard() }()
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

// startOperator starts the operator and the simulation of the other controllers.
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
	// The client of the tests can watch, so the linter receives every status.
	watching, err := client.NewWithWatch(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	cluster.client = watching
	cluster.writes = &writeCounter{}
	cluster.health = &fakeHealth{readings: map[string]health.Observation{}, lagging: map[string]string{}}
	counted, err := asOperator(ctx, environment, watching)
	if err != nil {
		return err
	}
	cluster.rest = rest.CopyConfig(counted)
	counted.Wrap(func(next http.RoundTripper) http.RoundTripper { return &counting{next: next, counter: cluster.writes} })
	administrator, err := environment.AddUser(envtest.User{Name: "administrator", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		return err
	}
	if cluster.kubeconfig, err = administrator.KubeConfig(); err != nil {
		return err
	}
	catalogue, err := versions()
	if err != nil {
		return err
	}
	start := func() (func(), error) {
		cluster.metrics = prometheus.NewRegistry()
		mgr, err := operator.NewManager(counted, operator.Options{
			Catalogue: catalogue, Namespace: "osm-operator-system", Now: time.Now, Logger: logger, ProbeAddress: "0",
			SeveralInOneProcess: true,
			MountDelay:          time.Second,
			Health:              cluster.health, Compatibility: supportedSteps(), Registry: cluster.metrics, Components: []component.Component{gizmos, brokenComponent{}},
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
	if cluster.kubelet, err = startKubelet(ctx, running, cfg, watching); err != nil {
		return err
	}
	cluster.linter = newLinter()
	return cluster.linter.start(ctx, running, watching)
}

// supportedSteps supports steps between adjacent versions of the tests. The distant version does not serve bootstrap version 1.
func supportedSteps() compatibility.Table {
	all := []string{"1", "2"}
	return compatibility.Table{
		{Minor: "v0.0", Bootstrap: "1", Envoy: "1.40", Bootstraps: all, Envoys: []string{"1.40"}},
		{Minor: "v0.1", Bootstrap: "2", Envoy: "1.40", Bootstraps: all, Envoys: []string{"1.40"}},
		{Minor: "v0.2", Bootstrap: "2", Envoy: "1.40", Bootstraps: all, Envoys: []string{"1.40"}},
		{Minor: "v0.3", Bootstrap: "2", Envoy: "1.40", Bootstraps: []string{"2"}, Envoys: []string{"1.40"}},
	}
}

// versions returns the current manifests under several versions, between which a mesh can change.
func versions() (*operand.Catalogue, error) {
	current := os.DirFS(filepath.Join("..", "..", "internal", "operator", "operand", "manifests", "current"))
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
	}
	return operand.OpenCatalogue(files, operatorVersion, operand.Images{
		Controller: "example/controller:1", Injector: "example/injector:1", Init: "example/init:1", Sidecar: "example/envoy:1",
	})
}

// asOperator creates a user with exactly the permissions of the installed operator, so every test verifies them.
func asOperator(ctx context.Context, environment *envtest.Environment, c client.Client) (*rest.Config, error) {
	content, err := os.ReadFile(filepath.Join("..", "..", "config", "rbac", "role.yaml"))
	if err != nil {
		return nil, err
	}
	role := &rbacv1.ClusterRole{}
	if err := yaml.UnmarshalStrict(content, role); err != nil {
		return nil, err
	}
	for _, kind := range gizmos.Requires() {
		role.Rules = append(role.Rules, rbacv1.PolicyRule{
			APIGroups: []string{kind.Group}, Resources: []string{kind.Resource}, Verbs: []string{"create", "delete", "get", "list", "patch", "watch"},
		})
	}
	if err := c.Create(ctx, role); err != nil {
		return nil, err
	}
	if err := createNamespaceReader(ctx, c); err != nil {
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

// createNamespaceReader creates the ClusterRole that the operator binds to look into the namespace of a mesh.
func createNamespaceReader(ctx context.Context, c client.Client) error {
	content, err := os.ReadFile(filepath.Join("..", "..", "config", "rbac", "namespace_reader_role.yaml"))
	if err != nil {
		return err
	}
	role := &rbacv1.ClusterRole{}
	if err := yaml.UnmarshalStrict(content, role); err != nil {
		return err
	}
	return c.Create(ctx, role)
}

// writeCounter counts the requests of the operator that change something, except for leases and reviews.
type writeCounter struct {
	mu   sync.Mutex
	seen []write
	// ended are the meshes of tests that have ended. Late writes about them, such as repeated Events, are not counted.
	ended []string
}

// write is a request that changes something.
type write struct {
	// request is the method and the path.
	request string
	// about is the path and, of an Event, the content.
	about string
}

// end stops counting writes about a mesh.
func (w *writeCounter) end(mesh string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = append(w.ended, mesh)
}

// add counts a request.
func (w *writeCounter) add(request *http.Request) {
	seen := write{request: request.Method + " " + request.URL.Path, about: request.URL.Path}
	if strings.HasSuffix(request.URL.Path, "/events") && request.GetBody != nil {
		if body, err := request.GetBody(); err == nil {
			content, _ := io.ReadAll(body)
			seen.about += string(content)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if slices.ContainsFunc(w.ended, func(mesh string) bool { return isAbout(request.URL.Path, mesh) }) {
		return
	}
	w.seen = append(w.seen, seen)
}

// isAbout reports whether a path is that of an object in the namespace of a mesh, or of an Event about an object with its name.
func isAbout(path, mesh string) bool {
	_, event, isEvent := strings.Cut(path, "/events/")
	return isEvent && strings.HasPrefix(event, mesh) || strings.Contains(path, "/namespaces/"+meshNamespace(mesh)+"/")
}

// count returns the number of requests so far.
func (w *writeCounter) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.seen)
}

// counting is a transport that counts requests.
type counting struct {
	next    http.RoundTripper
	counter *writeCounter
}

func (c *counting) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method != http.MethodGet && !strings.Contains(request.URL.Path, "/leases") {
		c.counter.add(request)
	}
	return c.next.RoundTrip(request)
}

// since lists the requests after the first n that name one of the meshes, alone or as a part of another name such as <mesh>-system. Without
// meshes it lists all.
func (w *writeCounter) since(n int, meshes ...string) []string {
	named := regexp.MustCompile(`(^|[^a-z0-9])(` + strings.Join(meshes, "|") + `)($|[^a-z0-9])`)
	w.mu.Lock()
	defer w.mu.Unlock()
	var requests []string
	for _, seen := range w.seen[n:] {
		if len(meshes) == 0 || named.MatchString(seen.about) {
			requests = append(requests, seen.request)
		}
	}
	return requests
}

// eventually waits until check returns no error.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	within(t, defaultTimeout, check)
}

// within is eventually with another timeout.
func within(t *testing.T, timeout time.Duration, check func() error) {
	t.Helper()
	var last error
	deadline := time.Now().Add(timeout)
	for time.Now().Before(deadline) {
		if last = check(); last == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("not within %s: %v", timeout, last)
}
