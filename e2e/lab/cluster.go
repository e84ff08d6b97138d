package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/version"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	operatorv1alpha1 "github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/compatibility"
)

// Cluster is a client of a test cluster.
type Cluster struct {
	Repository Repository
	// Kubeconfig is the path of the administrator's kubeconfig.
	Kubeconfig string
	Config     *rest.Config
	Client     client.WithWatch
	// Version is the tag of the project's images, and Earlier the last recorded version before it, which upgrades start from.
	Version, Earlier string
	kubectl          string
}

// Start starts the local cluster and connects to it. With CLUSTER=current it connects to the kubeconfig's cluster.
func Start(ctx context.Context, out io.Writer) (*Cluster, error) {
	repository, err := FindRepository()
	if err != nil {
		return nil, err
	}
	if err := repository.reserve(ctx, out); err != nil {
		return nil, err
	}
	if err := repository.Tool(ctx, out, "./cluster", "up"); err != nil {
		return nil, err
	}
	return Connect(ctx)
}

// Connect connects to the running cluster.
func Connect(ctx context.Context) (*Cluster, error) {
	repository, err := FindRepository()
	if err != nil {
		return nil, err
	}
	return connect(ctx, repository)
}

// connect connects to a running cluster. machine are the arguments of hack/cluster that select a simulated machine; none for the local cluster.
func connect(ctx context.Context, repository Repository, machine ...string) (*Cluster, error) {
	kubeconfig, err := repository.ToolOutput(ctx, slices.Concat([]string{"./cluster"}, machine, []string{"kubeconfig"})...)
	if err != nil {
		return nil, err
	}
	kubectl, err := findKubectl(ctx, repository)
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig %s: %w", kubeconfig, err)
	}
	config.QPS, config.Burst = 100, 200
	// Without a logger, controller-runtime prints a warning with a stack trace.
	log.SetLogger(logr.Discard())
	// Warnings about deprecated kinds are dropped: such kinds are read only because users may still have them.
	config.WarningHandlerWithContext = rest.NoWarnings{}
	written, err := os.ReadFile(repository.Path("VERSION"))
	if err != nil {
		return nil, err
	}
	c, err := client.NewWithWatch(config, client.Options{Scheme: Scheme()})
	if err != nil {
		return nil, err
	}
	present := strings.TrimSpace(string(written))
	earlier, err := earlierVersion(present)
	if err != nil {
		return nil, err
	}
	return &Cluster{
		Repository: repository, Kubeconfig: kubeconfig, Config: config, Client: c,
		Version: present, Earlier: earlier, kubectl: kubectl,
	}, nil
}

// KubernetesVersion returns the version of the API server.
func (c *Cluster) KubernetesVersion(ctx context.Context) (*version.Version, error) {
	text, err := c.Kubectl(ctx, "get", "--raw", "/version")
	if err != nil {
		return nil, err
	}
	var found struct{ GitVersion string }
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		return nil, fmt.Errorf("the API server's version is %q: %w", text, err)
	}
	return version.ParseGeneric(found.GitVersion)
}

// RequireKubernetes skips a test of what the API server of the cluster is too old for. It never skips on the version of most tests.
func (c *Cluster) RequireKubernetes(t interface {
	Test
	Skip(args ...any)
}, feature compatibility.FeatureName,
) {
	t.Helper()
	server, err := c.KubernetesVersion(t.Context())
	Must(t, err)
	if f := compatibility.FeatureOf(feature); f.LacksAPIServer(server.String()) {
		t.Skip("Kubernetes", server, "has no", f, "with it,", f.Without)
	}
}

// earlierVersion returns the last recorded version before a version.
func earlierVersion(version string) (string, error) {
	catalogue, err := operand.NewCatalogue(version, operand.Images{})
	if err != nil {
		return "", err
	}
	known := catalogue.Known()
	i := slices.Index(known, version)
	if i == 0 {
		return "", fmt.Errorf("no version before %s is recorded", version)
	}
	return known[i-1], nil
}

// Scheme returns a scheme with the kinds of Kubernetes and of the project.
func Scheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, operatorv1alpha1.AddToScheme, configv1alpha2.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err) // Two packages register the same kind: a programming error.
		}
	}
	return scheme
}

// BuildImages builds images and loads them onto the cluster's node; without names it builds all. With CLUSTER=current
// it does nothing, because the images must already be in a registry.
func (c *Cluster) BuildImages(ctx context.Context, out io.Writer, names ...string) error {
	if IsCurrent() {
		return nil
	}
	if err := c.Repository.Tool(ctx, out, append([]string{"./images"}, names...)...); err != nil {
		return err
	}
	return c.LoadImages(ctx, out)
}

// LoadImages loads the images that were built onto the cluster's node.
func (c *Cluster) LoadImages(ctx context.Context, out io.Writer) error {
	archives, err := filepath.Glob(c.Repository.Path("bin", "images", "*.tar"))
	if err != nil {
		return err
	}
	return c.Repository.Tool(ctx, out, append([]string{"./cluster", "load"}, archives...)...)
}

// LoadVersion builds the images of a recorded version if needed and loads them onto the cluster's node. With
// CLUSTER=current it does nothing, because the images must already be in a registry.
func (c *Cluster) LoadVersion(ctx context.Context, out io.Writer, version string) error {
	if IsCurrent() {
		return nil
	}
	return c.Repository.Tool(ctx, out, "./cluster", "load-version", version)
}

const (
	// ToolsImage is the image of the test tools.
	ToolsImage = "openservicemesh/osm-test-tools"
	// toolsProgram is the path of the tools in their image.
	toolsProgram = "/osm-test-tools"

	// HTTPPort is the port of a test pod's HTTP server.
	HTTPPort = 8080
	// EchoPort is the port of its TCP echo server.
	EchoPort = 9000
	// GreetPort is the port of an echo server that sends a greeting first.
	GreetPort = 9001

	// AppLabel is the label that Services of test pods select.
	AppLabel = "app"
)

// TestPod returns a pod with the tools as servers and agent, and a service account of the same name.
func (c *Cluster) TestPod(namespace, name string) (*corev1.ServiceAccount, *corev1.Pod) {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	grace := int64(10)
	off := false
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{AppLabel: name}},
		Spec: corev1.PodSpec{
			ServiceAccountName:            name,
			AutomountServiceAccountToken:  &off,
			TerminationGracePeriodSeconds: &grace,
			Containers:                    []corev1.Container{c.ToolsContainer("app", name, HTTPPort, AgentPort)},
		},
	}
	pod.Spec.Containers[0].Args = append(pod.Spec.Containers[0].Args, fmt.Sprintf("--echo=:%d", EchoPort), fmt.Sprintf("--greet=:%d", GreetPort))
	return account, pod
}

// Deployment returns a Deployment of pods like one, with its name and labels.
func Deployment(pod *corev1.Pod, replicas int32) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}, Spec: appsv1.DeploymentSpec{
		Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: pod.Labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels}, Spec: pod.Spec},
	}}
}

// ToolsContainer returns a container with an HTTP server and an agent. The container's readiness follows its /health.
func (c *Cluster) ToolsContainer(container, name string, httpPort, agentPort int32) corev1.Container {
	off, on := false, true
	return corev1.Container{
		Name:            container,
		Image:           ToolsImage + ":" + c.Version,
		ImagePullPolicy: corev1.PullIfNotPresent,
		Command:         []string{toolsProgram},
		Args:            []string{"serve", "--name=" + name, fmt.Sprintf("--http=:%d", httpPort), fmt.Sprintf("--agent=127.0.0.1:%d", agentPort)},
		// Pods outside the mesh serve for as long as injection lets those in the mesh.
		Lifecycle: &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 5}}},
		ReadinessProbe: &corev1.Probe{
			ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/health", Port: intstr.FromInt32(httpPort)}},
			PeriodSeconds: 1, FailureThreshold: 2, TimeoutSeconds: 2,
		},
		Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("1m"), corev1.ResourceMemory: resource.MustParse("8Mi"),
		}},
		SecurityContext: &corev1.SecurityContext{
			RunAsNonRoot: &on, AllowPrivilegeEscalation: &off, ReadOnlyRootFilesystem: &on,
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
	}
}

// TestService returns a dual-stack Service of the test pods with the same name: HTTP on HTTPPort, TCP on EchoPort and
// GreetPort.
func TestService(namespace, name string) *corev1.Service {
	dual := corev1.IPFamilyPolicyPreferDualStack
	tcp, serverFirst := "tcp", "tcp-server-first"
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: corev1.ServiceSpec{
			Selector:       map[string]string{AppLabel: name},
			IPFamilyPolicy: &dual,
			Ports: []corev1.ServicePort{
				{Name: "http", Port: HTTPPort, TargetPort: intstr.FromInt32(HTTPPort)},
				{Name: "echo", Port: EchoPort, TargetPort: intstr.FromInt32(EchoPort), AppProtocol: &tcp},
				{Name: "greet", Port: GreetPort, TargetPort: intstr.FromInt32(GreetPort), AppProtocol: &serverFirst},
			},
		},
	}
}

// Create creates objects in order.
func (c *Cluster) Create(ctx context.Context, objects ...client.Object) error {
	for _, object := range objects {
		if err := c.Client.Create(ctx, object); err != nil {
			return fmt.Errorf("create %T %s/%s: %w", object, object.GetNamespace(), object.GetName(), err)
		}
	}
	return nil
}

// PodsReady waits until every pod of a namespace is ready or has succeeded.
func (c *Cluster) PodsReady(ctx context.Context, limit time.Duration, namespace string) error {
	err := Until(ctx, limit, "pods in "+namespace+" ready", func(ctx context.Context) (bool, string, error) {
		var pods corev1.PodList
		if err := c.Client.List(ctx, &pods, client.InNamespace(namespace)); err != nil {
			return false, "", err
		}
		for i := range pods.Items {
			if pod := &pods.Items[i]; !IsReady(pod) && pod.Status.Phase != corev1.PodSucceeded {
				return false, "pod " + pod.Name + " is not ready", c.crashLoopError(ctx, pod)
			}
		}
		return len(pods.Items) > 0, "no pod", nil
	})
	if err != nil {
		return fmt.Errorf("%w\n%s", err, c.unreadyContainers(ctx, namespace))
	}
	return nil
}

// crashLoopError returns a PermanentError with the end of the log if a container keeps failing, or nil.
func (c *Cluster) crashLoopError(ctx context.Context, pod *corev1.Pod) error {
	for _, status := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
		if status.RestartCount > 1 && status.State.Waiting != nil {
			logs, err := c.Logs(ctx, pod.Namespace, pod.Name, status.Name, 10)
			return &PermanentError{fmt.Sprintf("container %s of pod %s keeps failing: %s %v", status.Name, pod.Name, logs, errorText(err))}
		}
	}
	return nil
}

// IsReady reports whether the pod's condition Ready is True.
func IsReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}
