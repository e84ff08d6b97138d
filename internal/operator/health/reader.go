package health

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	kube "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	"github.com/openservicemesh/osm-operator/internal/platform/report/client"
)

// Target is the revision to observe.
type Target struct {
	Mesh      string
	Namespace string
	// Version is that of the revision. While Deployments change, pods of an earlier version run and serve as well.
	Version     string
	TrustDomain string
	// Roots are the certificates (PEM) of the mesh's certificate authority.
	Roots []byte
	// Suffixes are the name suffixes of the Deployments to observe. None means the active ones, whose suffix is empty.
	Suffixes []string
}

// TargetOf is a revision as it is observed. Without roots its replicas cannot be asked, and what they would report is absent.
func TargetOf(revision *v1alpha1.MeshRevision, roots []byte) Target {
	spec := revision.Spec
	return Target{
		Suffixes: observe.CanarySuffixes(revision),
		Mesh:     spec.Mesh, Namespace: spec.Namespace, Version: spec.Version, TrustDomain: spec.TrustDomain, Roots: roots,
	}
}

// Reader observes revisions.
type Reader struct {
	// Pods reads the pods of control planes.
	Pods kube.Reader
	// Owners reads the workloads that own the pods from the API server. A cache could lag behind that of the pods.
	Owners kube.Reader
	// Tokens returns bearer tokens whose user may get the report.
	Tokens Tokens
	// dial connects to a replica; nil connects to its address.
	dial func(context.Context, client.Replica) (net.Conn, error)
	// recent has observations that are used again.
	recent recent
}

// Tokens returns tokens for audiences, and discards those that a server does not accept.
type Tokens interface {
	ForAudience(ctx context.Context, audience string) (string, error)
	Discard(audience, token string)
}

// Read observes a revision. A part that cannot be observed is absent. In a large mesh the observation is up to two seconds old, and shared with other
// callers, who must not change it.
func (r *Reader) Read(ctx context.Context, s Target) (Observation, error) {
	key := strings.Join(append([]string{s.Mesh, s.Namespace, s.Version}, s.Suffixes...), " ")
	began := time.Now()
	if observation, found := r.recent.find(key, began); found {
		return observation, nil
	}
	observation, err := r.read(ctx, s)
	if now := time.Now(); err == nil {
		r.recent.keep(key, observation, now.Sub(began), now)
	}
	return observation, err
}

// read is Read without earlier observations.
func (r *Reader) read(ctx context.Context, s Target) (Observation, error) {
	var observation Observation
	all, err := r.pods(ctx, s)
	if err != nil {
		return observation, err
	}
	pods := s.ownVersion(all)
	observation.Earlier = s.earlierControllers(all)
	observation.Restarts = containerRestarts(pods)
	replicas := replicasOf(pods, s.apps(names.Controller))
	reporter := r.reporter(s, replicas)
	// A revision without reachable replicas leaves these parts absent.
	if proxies, err := reporter.Proxies(ctx); err == nil {
		observation.setProxies(proxies)
	}
	if loads, err := reporter.Loads(ctx); err == nil {
		observation.Flows = flows(loads)
	}
	return observation, nil
}

// reporter reads the reports of replicas.
func (r *Reader) reporter(s Target, replicas []client.Replica) *client.Client {
	audience := names.ReportAudience(s.Mesh)
	return client.New(client.Config{
		Replicas:     func(context.Context) ([]client.Replica, error) { return replicas, nil },
		Token:        func(ctx context.Context) (string, error) { return r.Tokens.ForAudience(ctx, audience) },
		Unauthorized: func(token string) { r.Tokens.Discard(audience, token) },
		Roots:        func() ([]byte, error) { return s.Roots, nil },
		TrustDomain:  s.TrustDomain,
		Dial:         r.dial,
	})
}

// pods lists the pods of all versions that the Deployments of the revision created: while one replaces another, two revisions share the names of
// Deployments.
func (r *Reader) pods(ctx context.Context, s Target) ([]corev1.Pod, error) {
	var list corev1.PodList
	if err := r.Pods.List(ctx, &list, kube.InNamespace(s.Namespace), kube.HasLabels{names.VersionLabel}); err != nil {
		return nil, fmt.Errorf("the pods of the control plane cannot be listed: %w", err)
	}
	apps := s.apps(names.Controller, names.Injector)
	pods := slices.DeleteFunc(list.Items, func(p corev1.Pod) bool {
		return p.DeletionTimestamp != nil || !slices.Contains(apps, p.Labels[names.AppLabel])
	})
	owned, err := client.ControlPlane{Mesh: s.Mesh, Namespace: s.Namespace}.Owned(ctx, r.Owners, pods)
	if err != nil {
		return nil, fmt.Errorf("the owners of the pods of the control plane cannot be read: %w", err)
	}
	return owned, nil
}

// ownVersion returns the pods of the version of the target.
func (s Target) ownVersion(pods []corev1.Pod) []corev1.Pod {
	return slices.DeleteFunc(slices.Clone(pods), func(p corev1.Pod) bool { return p.Labels[names.VersionLabel] != s.Version })
}

// earlierControllers counts the ready controllers of other versions in the Deployments of the target, by version.
func (s Target) earlierControllers(pods []corev1.Pod) map[string]int {
	counts := map[string]int{}
	for i := range pods {
		version := pods[i].Labels[names.VersionLabel]
		if version != s.Version && slices.Contains(s.apps(names.Controller), pods[i].Labels[names.AppLabel]) && isReady(&pods[i]) {
			counts[version]++
		}
	}
	return counts
}

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue })
}

// apps are the app labels of the pods of components.
func (s Target) apps(components ...string) []string {
	suffixes := s.Suffixes
	if len(suffixes) == 0 {
		suffixes = []string{""}
	}
	return lists.FlatMap(suffixes, func(suffix string) []string {
		return lists.Map(components, func(component string) string { return names.WithSuffix(component, suffix) })
	})
}

// replicasOf returns the running controllers, sorted by name.
func replicasOf(pods []corev1.Pod, controllers []string) []client.Replica {
	return client.ReplicasOf(slices.DeleteFunc(slices.Clone(pods), func(pod corev1.Pod) bool {
		return !slices.Contains(controllers, pod.Labels[names.AppLabel]) || pod.Status.Phase != corev1.PodRunning || len(pod.Status.PodIPs) == 0
	}))
}

// Observation is the health of a revision. A nil pointer, slice or map is a part that could not be observed completely.
type Observation struct {
	// Earlier counts the ready controllers of other versions that still run in the Deployments of the revision, by version.
	Earlier map[string]int
	// Restarts are the container restarts of the revision's pods, sorted by UID.
	Restarts []PodRestarts
	// Proxies are the sidecars that are connected to the revision.
	Proxies *Proxies
	// CertificatesUntil is when the certificates of most sidecars of a workload expire first, by namespace.
	CertificatesUntil map[string]time.Time
	// Flows are the requests of the last minute; nil if too few sidecars report them. Sidecars report only while they are read, so the first
	// observation has none.
	Flows []rollout.Flow
}

// Proxies describes the connected sidecars.
type Proxies struct {
	Connected, Rejecting int
	// Namespaces counts the connected sidecars by namespace.
	Namespaces map[string]int
	// UIDs are those of the pods whose sidecars are connected.
	UIDs map[string]bool
	// Roles are those of the slots of pods with two slots, by the UID of the pod and the name of the slot.
	Roles map[string]map[string]report.Role
	// Behind counts sidecars with unacknowledged configuration.
	Behind int
	// Rejections are the workloads most of whose sidecars reject configuration, sorted by name.
	Rejections []Rejection
}

// PodRestarts counts the container restarts of a pod of the control plane since it was created.
type PodRestarts struct {
	UID     string
	Created time.Time
	Count   int
}

// containerRestarts returns the restarts of each pod with any.
func containerRestarts(pods []corev1.Pod) []PodRestarts {
	var list []PodRestarts
	for i := range pods {
		pod := PodRestarts{UID: string(pods[i].UID), Created: pods[i].CreationTimestamp.Time}
		for _, status := range pods[i].Status.ContainerStatuses {
			pod.Count += int(status.RestartCount)
		}
		if pod.Count > 0 {
			list = append(list, pod)
		}
	}
	slices.SortFunc(list, func(a, b PodRestarts) int { return cmp.Compare(a.UID, b.UID) })
	return list
}

// setProxies adds up the sidecars of all replicas. A pod counts once. It sets nothing when a replica did not answer.
func (o *Observation) setProxies(answers []client.Answer[report.Proxies]) {
	sum := Proxies{UIDs: map[string]bool{}, Namespaces: map[string]int{}}
	var all []report.Proxy
	for _, answer := range answers {
		if answer.Err != nil {
			return
		}
		all = append(all, answer.Value.Proxies...)
	}
	pods := report.Pods(all)
	for _, pod := range pods {
		counts := report.CountPod(pod)
		sum.Connected += counts.Connected
		sum.UIDs[pod[0].UID] = true
		sum.Namespaces[pod[0].Namespace]++
		if roles := rolesOf(pod); roles != nil {
			if sum.Roles == nil {
				sum.Roles = map[string]map[string]report.Role{}
			}
			sum.Roles[pod[0].UID] = roles
		}
		sum.Rejecting += counts.Rejecting
		sum.Behind += counts.Behind
	}
	groups := groupPods(pods)
	sum.Rejections = rejections(groups)
	o.Proxies, o.CertificatesUntil = &sum, certificatesUntil(groups)
}

// rolesOf returns the roles of the slots of a pod; nil for a pod without. A slot has one Envoy at a time, so the latest of its connections counts.
func rolesOf(pod []report.Proxy) map[string]report.Role {
	var roles map[string]report.Role
	latest := map[string]uint64{}
	for _, p := range pod {
		if p.Slot == "" || p.UID == "" || p.Epoch < latest[p.Slot] {
			continue
		}
		if roles == nil {
			roles = map[string]report.Role{}
		}
		roles[p.Slot], latest[p.Slot] = report.RoleOf(p, pod), p.Epoch
	}
	return roles
}

// formatRejection describes what a sidecar rejects.
func formatRejection(p report.Proxy) string {
	if p.Unserved != "" {
		return fmt.Sprintf("%s/%s is not served: %s", p.Namespace, p.Pod, p.Unserved)
	}
	for _, kind := range []string{"CDS", "EDS", "LDS", "RDS", "SDS", "ECDS"} {
		if text := p.Types[kind].Rejection; text != "" {
			return fmt.Sprintf("%s/%s rejects %s: %.300s", p.Namespace, p.Pod, kind, text)
		}
	}
	return p.Namespace + "/" + p.Pod
}
