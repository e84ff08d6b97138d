package operator

import (
	"context"
	"fmt"
	"io/fs"
	"time"

	"github.com/go-logr/logr"
	operators "github.com/operator-framework/api/pkg/operators/v2"
	prometheusclient "github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	served "sigs.k8s.io/controller-runtime/pkg/metrics"
	crmetricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/components"
	"github.com/openservicemesh/osm-operator/controllers/operator/loglevel"
	"github.com/openservicemesh/osm-operator/controllers/operator/mesh"
	"github.com/openservicemesh/osm-operator/controllers/operator/olm"
	"github.com/openservicemesh/osm-operator/controllers/operator/ownership"
	"github.com/openservicemesh/osm-operator/controllers/operator/plan"
	"github.com/openservicemesh/osm-operator/controllers/operator/policies"
	"github.com/openservicemesh/osm-operator/controllers/operator/probes"
	"github.com/openservicemesh/osm-operator/controllers/operator/teardown"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/dataplane"
	"github.com/openservicemesh/osm-operator/internal/operator/metrics"
	"github.com/openservicemesh/osm-operator/internal/operator/metricsserver"
	"github.com/openservicemesh/osm-operator/internal/operator/metricsserver/servingcert"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/operator/pull"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
	"github.com/openservicemesh/osm-operator/internal/platform/backoff"
	"github.com/openservicemesh/osm-operator/internal/platform/compatibility"
	"github.com/openservicemesh/osm-operator/internal/platform/message"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// GracefulShutdown is how long the operator waits for its controllers when it stops. Its Deployment gives it more time.
const GracefulShutdown = 30 * time.Second

// Options are what the operator is started with.
type Options struct {
	// Catalogue holds the versions that can be installed.
	Catalogue *operand.Catalogue
	// Compatibility defines the supported steps between versions. The default is the recorded table.
	Compatibility compatibility.Table
	// Namespace is where the operator runs.
	Namespace string
	// OperatorCondition is the name of the object in which the Operator Lifecycle Manager reads whether it may install another version; empty without it.
	OperatorCondition string
	// AdmissionPolicies are applied by the operator; nil if its installation applies them.
	AdmissionPolicies fs.FS
	// LeaderElection lets one of several replicas act.
	LeaderElection bool
	// ProbeAddress is where health is served; empty or "0" serves none.
	ProbeAddress string
	// ComponentImages replace the default images of components, by the variables of component.Image.
	ComponentImages map[string]string
	// Components are further components of every mesh, which tests need.
	Components []component.Component
	// Health observes control planes during upgrades and removals; nil asks their replicas.
	Health Health
	// MountDelay is how long it takes at most until pods have the files of a changed Secret; 0 means that of the kubelet's defaults.
	MountDelay time.Duration
	// MetricsAddress is where metrics are served over HTTPS; empty or "0" serves none.
	MetricsAddress string
	// Registry takes the metrics about meshes; nil means the one that is served, or with SeveralInOneProcess one of its own.
	Registry prometheusclient.Registerer
	// Logger gets all log lines.
	Logger logr.Logger
	// LogLevel is the level of the flag, and SetLogLevel changes the level. Without SetLogLevel it never changes.
	LogLevel    string
	SetLogLevel func(level string)
	// Now is the clock.
	Now func() time.Time
	// SeveralInOneProcess allows controllers of the same name twice in a process, which tests need.
	SeveralInOneProcess bool
}

// NewManager puts the operator together; it acts when the manager is started.
func NewManager(cfg *rest.Config, o Options) (ctrl.Manager, error) {
	scheme, err := Scheme()
	if err != nil {
		return nil, err
	}
	cfg = rest.CopyConfig(cfg)
	// The API server has its own fair queues; a limit here would only make the installation of a mesh slow.
	cfg.QPS = -1
	lock, err := electionLock(cfg, scheme, o)
	if err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme: scheme,
		Cache:  cacheOptions(),
		// Secrets have their own narrow watches.
		Client:                              client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
		Controller:                          config.Controller{SkipNameValidation: &o.SeveralInOneProcess},
		LeaderElection:                      o.LeaderElection,
		LeaderElectionResourceLockInterface: lock,
		LeaderElectionReleaseOnCancel:       true,
		GracefulShutdownTimeout:             ptr.To(GracefulShutdown),
		// The servers of the library have no limits for unauthenticated clients.
		HealthProbeBindAddress: "0", Metrics: crmetricsserver.Options{BindAddress: "0"},
		Logger: o.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("the operator cannot be prepared: %w", err)
	}
	state := probes.NewState(o.Now)
	lock.Followed, lock.StandBy = state.StandBy, standBy(o.Logger, eventRecorder(mgr), o.Namespace)
	authorities, err := addServers(mgr, o)
	if err != nil {
		return nil, err
	}
	// Kinds that cannot be listed could not be watched, and no Mesh would ever be looked at.
	if err := mgr.Add(manager.RunnableFunc(func(ctx context.Context) error { return repairConversions(ctx, mgr) })); err != nil {
		return nil, err
	}
	if o.AdmissionPolicies != nil {
		admission := &policies.Reconciler{
			Applier: apply.New(mgr.GetClient(), eventRecorder(mgr)), Reader: mgr.GetAPIReader(),
			Namespace: o.Namespace, Files: o.AdmissionPolicies, Log: o.Logger,
		}
		if err := mgr.Add(admission); err != nil {
			return nil, err
		}
	}
	return mgr, addReconcilers(mgr, o, state, authorities)
}

// addServers serves what all controllers record, if there is an address. It returns the authorities of the server of metrics, or nil.
func addServers(mgr ctrl.Manager, o Options) (authorities func(context.Context) (string, error), err error) {
	if o.MetricsAddress == "" || o.MetricsAddress == "0" {
		return nil, nil
	}
	clients, err := kubernetes.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("readers of the metrics cannot be authorized: %w", err)
	}
	log := o.Logger.WithName("metrics")
	certificate := &servingcert.Certificate{Secrets: clients.CoreV1().Secrets(o.Namespace), Namespace: o.Namespace, Now: o.Now, Log: log}
	if err := mgr.Add(certificate); err != nil {
		return nil, err
	}
	server := &metricsserver.Server{Address: o.MetricsAddress, Metrics: served.Registry, Certificate: certificate.Get, Clients: clients, Now: o.Now, Log: log}
	return certificate.Authorities, mgr.Add(server)
}

// repairConversions makes kinds readable that an OSM has left behind. Watches are tried again until they succeed, so this need not
// come first; what fails here is tried again when a mesh is installed.
func repairConversions(ctx context.Context, mgr ctrl.Manager) error {
	repaired, err := takeover.NewConversions(mgr.GetAPIReader(), mgr.GetClient()).Repair(ctx)
	if err != nil {
		mgr.GetLogger().Error(err, "definitions of an earlier Open Service Mesh may not be readable")
	}
	if len(repaired) > 0 {
		mgr.GetLogger().Info("took conversion webhooks without a Service out of definitions", "definitions", repaired)
	}
	return nil
}

// addReconcilers adds the controllers. None of them calls another: they are ordered by the state that they observe.
func addReconcilers(mgr ctrl.Manager, o Options, state *probes.State, authorities func(context.Context) (string, error)) error {
	plane, err := dataplane.New(mgr, o.Now)
	if err != nil {
		return err
	}
	watches, err := components.NewWatches(mgr)
	if err != nil {
		return err
	}
	// A client with the HTTP client of the manager has no time limit.
	kinds, err := discovery.NewDiscoveryClientForConfig(mgr.GetConfig())
	if err != nil {
		return fmt.Errorf("the kinds of the API server cannot be read: %w", err)
	}
	d, err := newDependencies(mgr, o, kinds)
	if err != nil {
		return err
	}
	d.MetricsAuthorities, d.Beat = authorities, state.Beat
	d.DataPlane, d.Kinds, d.Gateways, d.Objects = plane, watches, watches, watches.Objects
	d.Pulls = pull.New(mgr.GetClient(), mgr.GetAPIReader(), plane, d.Cluster.Now)
	c := newControllers(d)
	reconcilers := []interface{ SetupWithManager(ctrl.Manager) error }{
		&ownership.Reconciler{Cluster: d.Cluster}, c.mesh, c.takeover, c.certificates, c.trust, c.upgrade, c.revision,
		components.Controller{Reconciler: c.components, Watches: watches},
		&plan.Reconciler{Cluster: d.Cluster, Status: d.Status, DataPlane: plane, Controllers: d.simulatedControllers},
		&teardown.Reconciler{
			Cluster: d.Cluster, Recorder: d.Recorder, MeshConfigs: d.meshConfigs(), Status: d.Status, DataPlane: plane,
			Restarter: d.restarter(), Images: d.Pulls, Health: d.Health, Metrics: d.Metrics, Kinds: kinds,
		},
	}
	if o.SetLogLevel != nil {
		reconcilers = append(reconcilers, &loglevel.Reconciler{Client: mgr.GetClient(), Flag: o.LogLevel, Set: o.SetLogLevel})
	}
	if o.OperatorCondition != "" {
		conditions, err := conditionClient(mgr)
		if err != nil {
			return err
		}
		key := client.ObjectKey{Namespace: o.Namespace, Name: o.OperatorCondition}
		reconcilers = append(reconcilers, &olm.Reconciler{Meshes: mgr.GetClient(), Conditions: conditions, Condition: key, Now: o.Now})
	}
	for _, r := range reconcilers {
		if err := r.SetupWithManager(mgr); err != nil {
			return fmt.Errorf("the watches of %T cannot be prepared: %w", r, err)
		}
	}
	return addProbes(mgr, o, plane, state)
}

// addProbes serves health, if there is an address.
func addProbes(mgr ctrl.Manager, o Options, plane *dataplane.Plane, state *probes.State) error {
	if o.ProbeAddress == "" || o.ProbeAddress == "0" {
		return nil
	}
	return mgr.Add(&probes.Server{
		Address: o.ProbeAddress, Elected: mgr.Elected(), Caches: []probes.Syncer{mgr.GetCache(), plane}, Meshes: mgr.GetClient(), State: state, Now: o.Now,
	})
}

// conditionClient returns a client of OperatorConditions. It has no cache: the operator may read its own one only.
func conditionClient(mgr ctrl.Manager) (client.Client, error) {
	scheme := runtime.NewScheme()
	if err := operators.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("the kind OperatorCondition cannot be registered: %w", err)
	}
	return client.New(mgr.GetConfig(), client.Options{Scheme: scheme, HTTPClient: mgr.GetHTTPClient()})
}

// eventRecorder records Events of the operator.
func eventRecorder(mgr ctrl.Manager) events.EventRecorder {
	return message.Recorder{Inner: mgr.GetEventRecorder(names.Operator)}
}

// addMetrics registers the metrics about meshes.
func addMetrics(mgr ctrl.Manager, o Options) (*metrics.Recorder, error) {
	registry := o.Registry
	switch {
	case registry != nil:
	case o.SeveralInOneProcess:
		registry = prometheusclient.NewRegistry()
	default:
		registry = served.Registry
	}
	if err := registry.Register(metrics.NewCollector(mgr.GetClient(), mgr.Elected())); err != nil {
		return nil, fmt.Errorf("the metrics about meshes cannot be registered: %w", err)
	}
	recorder, err := metrics.NewRecorder(registry)
	if err != nil {
		return nil, fmt.Errorf("the metrics about upgrades cannot be registered: %w", err)
	}
	return recorder, nil
}

// Scheme holds every kind that the operator reads or writes.
func Scheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientscheme.AddToScheme, apiextensionsv1.AddToScheme, v1alpha1.AddToScheme, configv1alpha2.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("the kinds of the operator cannot be registered: %w", err)
		}
	}
	return scheme, nil
}

// cacheOptions keep in memory only what belongs to meshes: of all other pods, ConfigMaps and so on of a cluster the operator sees
// nothing.
func cacheOptions() cache.Options {
	ours, err := labels.Parse(names.MeshLabel) // the label exists
	utilruntime.Must(err)
	byObject := map[client.Object]cache.ByObject{
		&apiextensionsv1.CustomResourceDefinition{}: {
			Label: labels.SelectorFromSet(labels.Set{mesh.ManagedByLabel: mesh.ManagedByOperator}),
			// Whether somebody else has replaced a definition decides whether the operator still writes it.
			Transform: func(object any) (any, error) { return object, nil },
		},
		// Who owns which field of a MeshConfig decides what the operator may write.
		&configv1alpha2.MeshConfig{}: {Transform: func(object any) (any, error) { return object, nil }},
	}
	for _, kind := range []client.Object{
		&appsv1.Deployment{}, &corev1.ServiceAccount{}, &corev1.Service{}, &corev1.ConfigMap{}, &corev1.Pod{},
		&rbacv1.ClusterRole{}, &rbacv1.ClusterRoleBinding{}, &rbacv1.Role{}, &rbacv1.RoleBinding{}, &policyv1.PodDisruptionBudget{},
		&autoscalingv2.HorizontalPodAutoscaler{},
		&admissionv1.MutatingWebhookConfiguration{}, &admissionv1.ValidatingWebhookConfiguration{},
	} {
		byObject[kind] = cache.ByObject{Label: ours}
	}
	return cache.Options{DefaultTransform: cache.TransformStripManagedFields(), NewInformer: backoff.NewInformer, ByObject: byObject}
}
