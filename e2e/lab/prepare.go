package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/full"
)

// Prepare sets up a cluster with the project's images, the operator and the ready sample mesh. It is idempotent:
// rebuilt programs replace the running ones. It returns the cluster together with an error, so that callers can
// describe it.
func Prepare(ctx context.Context, out io.Writer, limit time.Duration) (*Cluster, error) {
	cluster, err := Start(ctx, out)
	if err != nil {
		return nil, err
	}
	if err := cluster.BuildImages(ctx, out); err != nil {
		return cluster, err
	}
	if err := cluster.InstallOperator(ctx, limit); err != nil {
		return cluster, err
	}
	if err := cluster.ApplyFile(ctx, "config", "samples", "operator_v1alpha1_mesh.yaml"); err != nil {
		return cluster, err
	}
	if err := cluster.RenewPods(ctx, names.OperatorNamespace, names.DefaultNamespace); err != nil {
		return cluster, err
	}
	return cluster, cluster.MeshReady(ctx, names.DefaultMesh, limit)
}

// gatewayKinds are the resources of the Gateway API that a mesh uses.
var gatewayKinds = []string{"gatewayclasses", "gateways", "grpcroutes", "httproutes", "referencegrants", "tcproutes", "tlsroutes"}

// established waits until the API server serves a definition. `kubectl wait` fails at once while its status has no conditions yet.
func (c *Cluster) established(ctx context.Context, definition string) error {
	return Until(ctx, time.Minute, definition+" is established", func(ctx context.Context) (bool, string, error) {
		status, err := c.Kubectl(ctx, "get", "crd", definition, "-o", `jsonpath={.status.conditions[?(@.type=="Established")].status}`)
		return strings.TrimSpace(status) == "True", status, err
	})
}

// isIPSince is the first version of Kubernetes with the CEL function isIP, which the definition of TLSRoute uses.
func isIPSince() *version.Version { return version.MustParseGeneric("1.31") }

// InstallGatewayAPI installs definitions of the Gateway API from its module, as its release has them. They remain.
func (c *Cluster) InstallGatewayAPI(ctx context.Context) error {
	command := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api")
	command.Dir = c.Repository.Path()
	dir, err := command.Output()
	if err != nil {
		return fmt.Errorf("find the module of the Gateway API: %w", err)
	}
	return c.InstallGatewayAPIFrom(ctx, filepath.Join(strings.TrimSpace(string(dir)), "config", "crd", "standard"))
}

// InstallGatewayAPIFrom installs definitions of the Gateway API from a folder with those of a release. They remain.
func (c *Cluster) InstallGatewayAPIFrom(ctx context.Context, folder string) error {
	server, err := c.KubernetesVersion(ctx)
	if err != nil {
		return err
	}
	for _, kind := range gatewayKinds {
		if kind == "tlsroutes" && !server.AtLeast(isIPSince()) {
			continue // nobody can install this definition there
		}
		name := kind + ".gateway.networking.k8s.io"
		file := filepath.Join(folder, "gateway.networking.k8s.io_"+kind+".yaml")
		if _, err := c.Kubectl(ctx, "apply", "--server-side", "-f", file); err != nil {
			return err
		}
		if err := c.established(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// Repository is the root folder of a checkout.
type Repository string

// FindRepository returns the checkout that contains the working directory.
func FindRepository() (Repository, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "hack", "go.mod")); err == nil {
			return Repository(dir), nil
		}
	}
	return "", errors.New("the working directory is not inside a checkout of the project: change into one")
}

// Path returns a path below the root.
func (r Repository) Path(elements ...string) string {
	return filepath.Join(append([]string{string(r)}, elements...)...)
}

// Tool runs a developer tool of hack/, such as "./cluster up", and prints its progress to out.
func (r Repository) Tool(ctx context.Context, out io.Writer, args ...string) error {
	cmd := r.command(ctx, args)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("hack/%s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// BuildOSM compiles the osm command into bin/osm.
func (r Repository) BuildOSM(ctx context.Context, out io.Writer) error {
	return r.Tool(ctx, out, "./images", "programs", "osm")
}

// ToolOutput runs a developer tool of hack/ and returns its standard output.
func (r Repository) ToolOutput(ctx context.Context, args ...string) (string, error) {
	cmd := r.command(ctx, args)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("hack/%s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

func (r Repository) command(ctx context.Context, args []string) *exec.Cmd {
	return exec.CommandContext(ctx, "go", append([]string{"run", "-C", r.Path("hack")}, args...)...)
}

// InstallOperator applies the built manifests and waits until the operator is ready.
func (c *Cluster) InstallOperator(ctx context.Context, limit time.Duration) error {
	if _, err := c.Kubectl(ctx, "apply", "--server-side", "--force-conflicts", "-f", c.Repository.Path("dist", "install.yaml")); err != nil {
		return err
	}
	return c.Available(ctx, limit, names.OperatorNamespace)
}

// UninstallOperator deletes the objects of the built manifests.
func (c *Cluster) UninstallOperator(ctx context.Context) error {
	_, err := c.Kubectl(ctx, "delete", "--ignore-not-found", "-f", c.Repository.Path("dist", "install.yaml"))
	return err
}

// Tools returns the folder of kubectl.
func (c *Cluster) Tools() string { return filepath.Dir(c.kubectl) }

// Suite runs the tests of a package with a setup and a teardown.
type Suite struct {
	// SetUp prepares what the tests need. If it fails, the cluster that it returns is described.
	SetUp func(context.Context) (*Cluster, error)
	// FailureMessage is printed if SetUp fails.
	FailureMessage string
	// TearDown removes what SetUp has created; nil keeps it for the next run.
	TearDown func(context.Context) error
	// Out receives the errors of both.
	Out io.Writer
}

// Run runs tests, such as those of a *testing.M, and returns the exit code of the program. An interrupt cancels SetUp.
func (s Suite) Run(tests interface{ Run() int }) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if cluster, err := s.SetUp(ctx); err != nil {
		_, _ = fmt.Fprintf(s.Out, "%s: %v\n", s.FailureMessage, err)
		if cluster != nil {
			_, _ = fmt.Fprintln(s.Out, cluster.ControlPlaneLogs(ctx, names.DefaultNamespace))
		}
		return 1
	}
	code := tests.Run()
	if s.TearDown != nil {
		if err := s.TearDown(context.WithoutCancel(ctx)); err != nil {
			_, _ = fmt.Fprintln(s.Out, err)
		}
	}
	return code
}

// IsFull reports whether this is `make test-full`, which also runs the longest scenarios.
func IsFull() bool { return full.Is() }

// RequireFull skips a test unless this is `make test-full`. hack/budget.yaml lists these tests.
func RequireFull(t interface {
	Helper()
	Skip(args ...any)
},
) {
	t.Helper()
	full.Require(t)
}

// Consecutive is how many requests in a row AwaitOutcome requires.
const Consecutive = 4

// AwaitOutcome sends requests until some in a row have an outcome, and returns the report of those. One request is not enough: the threads of
// a sidecar apply a change one after the other, so a request with the new outcome may come before one with the old.
func (a *Agent) AwaitOutcome(ctx context.Context, limit time.Duration, url, want string, args ...string) (result *report.Requests, err error) {
	args = append([]string{"--count", strconv.Itoa(Consecutive)}, args...)
	err = Until(ctx, limit, a.pod+" calls "+url+" and gets "+want, func(ctx context.Context) (_ bool, _ string, err error) {
		if result, err = a.Requests(ctx, url, args...); err != nil {
			return false, "", err
		}
		return result.Outcomes[want] == Consecutive, fmt.Sprint(result.Outcomes, result.Errors), nil
	})
	return result, err
}

// deletionLimit is the time limit for the deletion of a namespace with pods that drain.
const deletionLimit = 2 * time.Minute

// CreateNamespace creates a namespace in a mesh with injection enabled, or outside of any mesh if mesh is empty. It waits for one of
// that name that is being deleted, for instance by the earlier test.
func (c *Cluster) CreateNamespace(ctx context.Context, name, mesh string) error {
	if _, err := c.HasNamespace(ctx, deletionLimit, name); err != nil {
		return err
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}}}
	if mesh != "" {
		ns.Labels[names.MonitoredByLabel] = mesh
		ns.Annotations = map[string]string{names.InjectionAnnotation: "enabled"}
	}
	return c.Client.Create(ctx, ns)
}

// HasNamespace reports whether a namespace exists. It waits for one that is being deleted.
func (c *Cluster) HasNamespace(ctx context.Context, limit time.Duration, name string) (bool, error) {
	exists := false
	err := Until(ctx, limit, "the old namespace "+name+" is gone", func(ctx context.Context) (bool, string, error) {
		var ns corev1.Namespace
		err := c.Client.Get(ctx, client.ObjectKey{Name: name}, &ns)
		exists = err == nil && ns.DeletionTimestamp == nil
		return exists || apierrors.IsNotFound(err), string(ns.Status.Phase), client.IgnoreNotFound(err)
	})
	return exists, err
}

// DeleteNamespace deletes a namespace without waiting. A missing namespace is no error.
func (c *Cluster) DeleteNamespace(ctx context.Context, name string) error {
	return client.IgnoreNotFound(c.Client.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
}

// DeletedNamespacesAreGone waits until no namespace is being deleted.
func (c *Cluster) DeletedNamespacesAreGone(ctx context.Context) error {
	return Until(ctx, deletionLimit, "all deleted namespaces are gone", func(ctx context.Context) (bool, string, error) {
		var list corev1.NamespaceList
		err := c.Client.List(ctx, &list)
		var left []string
		for i := range list.Items {
			if list.Items[i].DeletionTimestamp != nil {
				left = append(left, list.Items[i].Name)
			}
		}
		return err == nil && len(left) == 0, strings.Join(left, ", "), err
	})
}

// reservationVariable is the environment variable with the reservation of the local cluster that this process inherits or has.
const reservationVariable = "OSM_LOCAL_RESERVATION"

// reserve reserves the local cluster until this process ends, unless the run that started it has the cluster. It waits while another run has
// it, and prints which one to out. A command of hack/ holds the reservation, and ends with its input.
func (r Repository) reserve(ctx context.Context, out io.Writer) error {
	if os.Getenv(reservationVariable) != "" || IsCurrent() {
		return nil
	}
	// The command outlives ctx: tests use the cluster after their setup.
	cmd := r.command(context.WithoutCancel(ctx), []string{"./cluster", "reserve", filepath.Base(os.Args[0])})
	cmd.Stderr = out
	if _, err := cmd.StdinPipe(); err != nil {
		return err
	}
	answer, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("reserve the local cluster: %w", err)
	}
	abandon := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(os.Interrupt) })
	line, err := bufio.NewReader(answer).ReadString('\n')
	abandon()
	// The goroutine also keeps the command's input open.
	go func() { _ = cmd.Wait() }()
	if id := strings.TrimSpace(line); id != "" {
		return os.Setenv(reservationVariable, id)
	}
	return errors.Join(errors.New("the local cluster could not be reserved"), err, ctx.Err())
}
