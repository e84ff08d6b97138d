package status

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/source"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/assess"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/platform/backoff"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// maxClients is the number of service accounts that a condition names.
const maxClients = 3

// decisionServer is a server that decides for sidecars because of a policy. The control plane never connects to it, because a tenant
// chooses its address: sidecars report whether it answers.
type decisionServer struct {
	// cluster and policy are those of the reports; namespace limits them to sidecars of one namespace.
	cluster, policy, namespace string
	kind, host                 string
	port                       uint16
	timeout                    time.Duration
	// effect is what happens to requests without an answer.
	effect string
}

// serversOf returns the servers that decide for sidecars because of a policy.
func (e Evaluator) serversOf(mesh assess.Mesh, entry catalog.Entry) []decisionServer {
	switch policy := entry.(type) {
	case *extauthz.Policy:
		return e.authorizationServer(mesh, policy)
	case *upstream.Policy:
		return rateLimitServers(policy)
	}
	return nil
}

// authorizationServer returns the server of an ExternalAuthorization; none if its ExtensionService cannot be used.
func (e Evaluator) authorizationServer(mesh assess.Mesh, policy *extauthz.Policy) []decisionServer {
	service := mesh.ExtensionService(policy.Name.Namespace, policy.Service)
	if service == nil {
		return nil
	}
	return []decisionServer{{
		cluster: extauthz.Cluster(policy.Name.Namespace == e.Namespace), policy: policy.Name.String(), kind: "authorization server",
		host: service.Address, port: service.Port, timeout: policy.Timeout, effect: authorizationEffect(policy.FailureModeAllow),
	}}
}

func authorizationEffect(allow bool) string {
	if allow {
		return "all their requests are allowed"
	}
	return "their requests get status 503"
}

// rateLimitServers returns the rate limit services of an UpstreamTrafficSetting.
func rateLimitServers(setting *upstream.Policy) []decisionServer {
	if setting.Service == (entity.Name{}) {
		return nil
	}
	var servers []decisionServer
	add := func(limit upstream.GlobalLimit, open, closed string) {
		server := decisionServer{
			cluster: envoy.RateLimitCluster(limit), namespace: setting.Name.Namespace, kind: "rate limit service",
			host: limit.Address, port: limit.Port, timeout: limit.Timeout, effect: closed,
		}
		if limit.FailOpen {
			server.effect = open
		}
		servers = append(servers, server)
	}
	if setting.GlobalRequests != nil {
		add(setting.GlobalRequests.GlobalLimit, "their requests are not limited", "requests to them get status 503")
	}
	if setting.GlobalConnections != nil {
		add(setting.GlobalConnections.GlobalLimit, "their connections are not limited", "connections to them are closed")
	}
	return servers
}

// concerns reports whether a failure is one of this server and policy.
func (s decisionServer) concerns(f report.ServerFailure) bool {
	return f.Cluster == s.cluster && f.Policy == s.policy && (s.namespace == "" || strings.HasPrefix(f.ServiceAccount, s.namespace+"/"))
}

// concernedPolicies returns the kind and the namespace of the policies that a failure concerns.
func concernedPolicies(f failureKey) (kind, namespace string) {
	if f.policy != "" {
		namespace, _, _ = strings.Cut(f.policy, "/")
		return kinds.ExternalAuthorization.Kind, namespace
	}
	if f.cluster == envoy.ConfiguredAuthorizationCluster {
		return meshConfigKind.Kind, ""
	}
	namespace, _, _ = strings.Cut(f.serviceAccount, "/")
	return kinds.UpstreamTrafficSetting.Kind, namespace
}

// problem returns why sidecars get no answer.
func (s decisionServer) problem(ctx context.Context, failures map[failureKey]report.ServerFailure, lookup HostLookup) (ingest.Problem, bool) {
	sidecars, since, clients := 0, time.Time{}, []string(nil)
	for _, f := range failures {
		if !s.concerns(f) {
			continue
		}
		sidecars += f.Sidecars
		if since.IsZero() || f.Since.Before(since) {
			since = f.Since
		}
		clients = append(clients, f.ServiceAccount)
	}
	if sidecars > 0 {
		return ingest.Problem{Reason: kinds.ReasonServiceNotAnswering, Message: fmt.Sprintf(
			"%d sidecars (service accounts %s) get no answer from the %s %s:%d since %s, so %s. Check that it runs, accepts connections from them, and answers within %s.",
			sidecars, lists.Join(lists.Unique(clients), maxClients), s.kind, s.host, s.port, since.UTC().Format(time.RFC3339), s.effect, s.timeout)}, true
	}
	if s.hasAddress(ctx, lookup) {
		return ingest.Problem{}, false
	}
	return ingest.Problem{Reason: kinds.ReasonHostNotResolved, Message: fmt.Sprintf(
		"The host %s of the %s has no address, so sidecars get no answer and %s: correct the name, or create its DNS record.", s.host, s.kind, s.effect)}, true
}

// hasAddress reports whether the name of the server has an address, or whether that is not known.
func (s decisionServer) hasAddress(ctx context.Context, lookup HostLookup) bool {
	if _, err := netip.ParseAddr(s.host); err == nil || !strings.Contains(s.host, ".") {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	_, err := lookup(ctx, s.host)
	var failure *net.DNSError
	return !errors.As(err, &failure) || !failure.IsNotFound
}

// answersCondition returns the condition ServiceAnswers for the servers of a policy. An earlier failure stays until every sidecar had time to
// report to this replica or another one.
func answersCondition(ctx context.Context, servers []decisionServer, failures *serverFailures, lookup HostLookup, before []metav1.Condition) metav1.Condition {
	current, complete := failures.current()
	var problems []ingest.Problem
	for _, server := range servers {
		if p, found := server.problem(ctx, current, lookup); found {
			problems = append(problems, p)
		}
	}
	if earlier := meta.FindStatusCondition(before, kinds.ConditionServiceAnswers); earlier != nil && earlier.Reason == kinds.ReasonServiceNotAnswering &&
		len(problems) == 0 && !complete {
		return *earlier
	}
	result := condition(kinds.ConditionServiceAnswers, kinds.ReasonServiceAnswers, problems)
	if len(problems) == 0 {
		result.Message = "no sidecar reports a missing answer"
	}
	return result
}

var meshConfigKind = configv1alpha2.GroupVersion.WithKind("MeshConfig")

// MeshConfigReconciler writes the condition ServiceAnswers of the MeshConfig. The operator writes its other conditions.
type MeshConfigReconciler struct {
	Client     client.Client
	Leader     *Leader
	Rejections *Rejections
	// Namespace is the namespace of the MeshConfig.
	Namespace  string
	LookupHost HostLookup
}

// configuredServers returns the servers that a MeshConfig names. Of the tracing server nobody reports missing answers, but its host can have no
// address.
func configuredServers(settings *catalog.Settings) []decisionServer {
	var servers []decisionServer
	if server := settings.ExternalAuthorization; server != nil && server.Address != "" {
		servers = append(servers, decisionServer{
			cluster: envoy.ConfiguredAuthorizationCluster, kind: "authorization server", host: server.Address, port: server.Port, timeout: server.Timeout,
			effect: authorizationEffect(server.FailureModeAllow),
		})
	}
	if tracing := settings.Tracing; tracing != nil && tracing.Address != "" {
		servers = append(servers, decisionServer{
			cluster: tracingServer, kind: "tracing server of spec.observability.tracing.address", host: tracing.Address, port: tracing.Port,
			effect: "their spans are lost",
		})
	}
	return servers
}

// tracingServer is a name that no report has.
const tracingServer = "tracing"

// addMeshConfig adds the controller of the MeshConfig.
func (w Writers) addMeshConfig(mgr manager.Manager) error {
	r := &MeshConfigReconciler{Client: mgr.GetClient(), Leader: w.Leader, Rejections: w.Rejections, Namespace: w.Namespace, LookupHost: w.LookupHost}
	only := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []ctrl.Request {
		return []ctrl.Request{{NamespacedName: client.ObjectKey{Namespace: w.Namespace, Name: names.MeshConfig}}}
	})
	return ctrl.NewControllerManagedBy(mgr).Named("status-MeshConfig").WithOptions(backoff.Options(1)).For(&configv1alpha2.MeshConfig{}).
		WatchesRawSource(source.Channel(w.Leader.acquisitions(), only)).
		WatchesRawSource(source.Channel(w.Rejections.servers.watch(meshConfigKind), only)).
		Complete(r)
}

// Reconcile writes the condition if it has changed, and removes it while all servers answer. A replica without the Lease writes nothing.
func (r *MeshConfigReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	if !r.Leader.Leading() || request.Namespace != r.Namespace || request.Name != names.MeshConfig {
		return ctrl.Result{}, nil
	}
	if _, known := r.Rejections.Of(meshConfigKind.Kind, "", ""); !known {
		return ctrl.Result{RequeueAfter: time.Second}, nil
	}
	config := &configv1alpha2.MeshConfig{}
	if err := r.Client.Get(ctx, request.NamespacedName, config); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	settings, _ := ingest.MeshConfig(config)
	servers := configuredServers(settings)
	if len(servers) == 0 {
		return ctrl.Result{}, r.clear(ctx, config)
	}
	c := answersCondition(ctx, servers, &r.Rejections.servers, r.LookupHost, config.Status.Conditions)
	if kinds.IsPlain([]metav1.Condition{c}) {
		return ctrl.Result{RequeueAfter: lookupInterval}, r.clear(ctx, config)
	}
	c.ObservedGeneration = config.Generation
	conditions := append([]metav1.Condition(nil), config.Status.Conditions...)
	meta.SetStatusCondition(&conditions, c)
	if equality.Semantic.DeepEqual(conditions, config.Status.Conditions) {
		return ctrl.Result{RequeueAfter: lookupInterval}, nil
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(meta.FindStatusCondition(conditions, kinds.ConditionServiceAnswers))
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: lookupInterval}, r.apply(ctx, map[string]any{"conditions": []any{content}})
}

// clear removes the condition, if it exists.
func (r *MeshConfigReconciler) clear(ctx context.Context, config *configv1alpha2.MeshConfig) error {
	if meta.FindStatusCondition(config.Status.Conditions, kinds.ConditionServiceAnswers) == nil {
		return nil
	}
	return r.apply(ctx, map[string]any{})
}

// apply replaces the part of the status that belongs to the control plane.
func (r *MeshConfigReconciler) apply(ctx context.Context, status map[string]any) error {
	object := &unstructured.Unstructured{Object: map[string]any{"status": status}}
	object.SetGroupVersionKind(meshConfigKind)
	object.SetNamespace(r.Namespace)
	object.SetName(names.MeshConfig)
	err := r.Client.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(names.Controller), client.ForceOwnership)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("write the status of the MeshConfig: %w", err)
	}
	return nil
}
