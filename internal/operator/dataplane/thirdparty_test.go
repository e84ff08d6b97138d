package dataplane

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllertest"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func TestWorkloadOf(t *testing.T) {
	labelled := func(key, value string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Labels[key] = value }
	}
	of := func(apiVersion string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.OwnerReferences[0].APIVersion = apiVersion }
	}
	for want, p := range map[string]corev1.Pod{
		"Deployment shop/web":                         pod("web-5c-a", "", "ReplicaSet", "web-5c", hash("5c"), of("apps/v1")),
		"Rollout.argoproj.io shop/web":                pod("web-5c-a", "", "ReplicaSet", "web-5c", labelled("rollouts-pod-template-hash", "5c"), of("apps/v1")),
		"ReplicaSet shop/web-5c":                      pod("web-5c-a", "", "ReplicaSet", "web-5c", labelled("rollouts-pod-template-hash", "6d"), of("apps/v1")),
		"CloneSet.apps.kruise.io shop/web":            pod("web-a", "", "CloneSet", "web", of("apps.kruise.io/v1alpha1")),
		"StatefulSet.apps.kruise.io shop/db":          pod("db-0", "", "StatefulSet", "db", of("apps.kruise.io/v1beta1")),
		"StatefulSet shop/db":                         pod("db-0", "", "StatefulSet", "db", of("apps/v1")),
		"DeploymentConfig.apps.openshift.io shop/web": pod("web-3-a", "", "ReplicationController", "web-3", labelled("deploymentconfig", "web"), of("v1")),
		"ReplicationController shop/web-x":            pod("web-x-a", "", "ReplicationController", "web-x", labelled("deploymentconfig", "web"), of("v1")),
		"ReplicationController shop/web-3":            pod("web-3-a", "", "ReplicationController", "web-3", of("v1")),
		"Job.batch.example.org shop/sum":              pod("sum-a", "", "Job", "sum", of("batch.example.org/v1")),
		"Job shop/sum":                                pod("sum-a", "", "Job", "sum", of("batch/v1")),
		"Pod shop/bare":                               pod("bare", "", "", ""),
	} {
		if got := WorkloadOf(&p).String(); got != want {
			t.Errorf("the workload is %s, want %s", got, want)
		}
	}
}

// parse returns an object of another project. changes replace lines.
func parse(t *testing.T, text string, changes ...string) *unstructured.Unstructured {
	t.Helper()
	text, before := strings.NewReplacer(changes...).Replace(text), text
	if len(changes) > 0 && text == before {
		t.Fatalf("%v changes nothing", changes)
	}
	content, err := yaml.YAMLToJSON([]byte(text))
	object := &unstructured.Unstructured{}
	if err := errors.Join(err, object.UnmarshalJSON(content)); err != nil {
		t.Fatal(err)
	}
	return object
}

const (
	rolloutText = `
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {namespace: shop, name: web, generation: 4}
spec:
  replicas: 2
  restartAt: "2026-11-20T12:00:00Z"
  template: {metadata: {labels: {app: web}}}
status: {observedGeneration: "4", phase: Healthy, restartedAt: "2026-11-20T12:00:00Z"}`
	cloneSetText = `
apiVersion: apps.kruise.io/v1alpha1
kind: CloneSet
metadata: {namespace: shop, name: pool, generation: 4}
spec:
  replicas: 2
  updateStrategy: {type: ReCreate, partition: 0%, paused: false}
  template: {metadata: {labels: {app: pool}}}
status: {observedGeneration: 4, replicas: 2, updatedReplicas: 2, availableReplicas: 2}`
	kruiseSetText = `
apiVersion: apps.kruise.io/v1beta1
kind: StatefulSet
metadata: {namespace: shop, name: db, generation: 4}
spec:
  replicas: 2
  updateStrategy: {type: RollingUpdate, rollingUpdate: {podUpdatePolicy: ReCreate, partition: 0, paused: false}}
  template: {metadata: {labels: {app: db}}}
status: {observedGeneration: 4, replicas: 2, updatedReplicas: 2, readyReplicas: 2, updateRevision: b, currentRevision: a}`
	deploymentConfigText = `
apiVersion: apps.openshift.io/v1
kind: DeploymentConfig
metadata: {namespace: shop, name: desk, generation: 4}
spec:
  replicas: 2
  paused: false
  triggers: [{type: ConfigChange}]
  template: {metadata: {labels: {app: desk}}}
status: {observedGeneration: 4, replicas: 2, updatedReplicas: 2, availableReplicas: 2}`
)

func TestStateOfThirdParty(t *testing.T) {
	for name, c := range map[string]struct {
		object             *unstructured.Unstructured
		complete, onDelete bool
	}{
		"Rollout":                                   {parse(t, rolloutText), true, false},
		"Rollout that is paused in its canary":      {parse(t, rolloutText, "Healthy", "Paused"), false, false},
		"Rollout that restarts":                     {parse(t, rolloutText, `restartedAt: "2026-11-20T12`, `restartedAt: "2026-11-20T11`), false, false},
		"Rollout that never restarted":              {parse(t, rolloutText, `restartAt`, `later`, `, restartedAt: "2026-11-20T12:00:00Z"`, ""), true, false},
		"Rollout with a new spec":                   {parse(t, rolloutText, `observedGeneration: "4"`, `observedGeneration: "3"`), false, false},
		"CloneSet":                                  {parse(t, cloneSetText), true, false},
		"CloneSet with a new spec":                  {parse(t, cloneSetText, "observedGeneration: 4", "observedGeneration: 3"), false, false},
		"CloneSet that updates":                     {parse(t, cloneSetText, "updatedReplicas: 2", "updatedReplicas: 1"), false, false},
		"CloneSet that updates in place":            {parse(t, cloneSetText, "ReCreate", "InPlaceIfPossible"), true, true},
		"CloneSet with a partition":                 {parse(t, cloneSetText, "0%", "50%"), true, true},
		"CloneSet that is paused":                   {parse(t, cloneSetText, "paused: false", "paused: true"), true, true},
		"StatefulSet":                               {parse(t, kruiseSetText), true, false},
		"StatefulSet that updates":                  {parse(t, kruiseSetText, "updatedReplicas: 2", "updatedReplicas: 1"), false, false},
		"StatefulSet that was updated":              {parse(t, kruiseSetText, "updatedReplicas: 2", "updatedReplicas: 0", "currentRevision: a", "currentRevision: b"), true, false},
		"StatefulSet that updates in place":         {parse(t, kruiseSetText, "ReCreate", "InPlaceOnly"), true, true},
		"StatefulSet with a partition":              {parse(t, kruiseSetText, "partition: 0", "partition: 1"), true, true},
		"StatefulSet that is paused":                {parse(t, kruiseSetText, "paused: false", "paused: true"), true, true},
		"StatefulSet with the strategy OnDelete":    {parse(t, kruiseSetText, "RollingUpdate, ", "OnDelete, "), true, true},
		"DeploymentConfig":                          {parse(t, deploymentConfigText), true, false},
		"DeploymentConfig with an unavailable pod":  {parse(t, deploymentConfigText, "availableReplicas: 2", "availableReplicas: 1"), false, false},
		"DeploymentConfig without triggers":         {parse(t, deploymentConfigText, "[{type: ConfigChange}]", "[]"), true, true},
		"DeploymentConfig with the default trigger": {parse(t, deploymentConfigText, "triggers: [{type: ConfigChange}]", "test: false"), true, false},
		"DeploymentConfig that is paused":           {parse(t, deploymentConfigText, "paused: false", "paused: true"), true, true},
	} {
		whole := stateOf(c.object)
		if whole.isDone(0) != c.complete || whole.onDelete != c.onDelete {
			t.Errorf("%s: complete %t, onDelete %t; want %t, %t", name, whole.isDone(0), whole.onDelete, c.complete, c.onDelete)
		}
		stripped, err := strip(c.object)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(whole, stateOf(stripped.(client.Object)), cmp.AllowUnexported(state{}, progress{})); diff != "" {
			t.Errorf("%s: its state in the cache is another one (-whole +stripped):\n%s", name, diff)
		}
	}
}

// Workloads of Argo Rollouts, OpenKruise and OpenShift are restarted as their own tools do it, and are found again by the restart.
func TestThirdPartyWorkloadsAreRestarted(t *testing.T) {
	for name, c := range map[string]struct {
		pod    corev1.Pod
		object *unstructured.Unstructured
		path   []string
		want   string
	}{
		"Rollout": {
			pod("web-5c-a", "osm-v0-1-0", "ReplicaSet", "web-5c", func(p *corev1.Pod) { p.Labels["rollouts-pod-template-hash"] = "5c" }),
			parse(t, rolloutText),
			[]string{"spec", "restartAt"},
			"2026-11-20T13:00:00Z",
		},
		"CloneSet": {
			pod("pool-a", "osm-v0-1-0", "CloneSet", "pool", func(p *corev1.Pod) { p.OwnerReferences[0].APIVersion = "apps.kruise.io/v1alpha1" }),
			parse(t, cloneSetText),
			[]string{"spec", "template", "metadata", "annotations", names.RestartAnnotation},
			"osm-v0-2-0 2026-11-20T13:00:00Z",
		},
		"StatefulSet of OpenKruise": {
			pod("db-0", "osm-v0-1-0", "StatefulSet", "db", func(p *corev1.Pod) { p.OwnerReferences[0].APIVersion = "apps.kruise.io/v1beta1" }),
			parse(t, kruiseSetText),
			[]string{"spec", "template", "metadata", "annotations", names.RestartAnnotation},
			"osm-v0-2-0 2026-11-20T13:00:00Z",
		},
		"DeploymentConfig": {
			pod("desk-3-a", "osm-v0-1-0", "ReplicationController", "desk-3", func(p *corev1.Pod) { p.Labels["deploymentconfig"] = "desk" }),
			parse(t, deploymentConfigText),
			[]string{"spec", "template", "metadata", "annotations", names.RestartAnnotation},
			"osm-v0-2-0 2026-11-20T13:00:00Z",
		},
	} {
		t.Run(name, func(t *testing.T) {
			plane := planeOf(namespace("shop", "osm"), &c.pod, c.object)
			workloads, err := plane.Workloads(t.Context(), "osm")
			if err != nil || len(workloads) != 1 || !workloads[0].Ready || !workloads[0].Ref.Restartable() {
				t.Fatalf("the workloads are %+v (%v), want one that is ready and can be restarted", workloads, err)
			}
			restart := rollout.Restart{Revision: "osm-v0-2-0", At: noon.Add(time.Hour)}
			if err := plane.Restart(t.Context(), workloads[0].Ref, restart.Revision, restart.At); err != nil {
				t.Fatal(err)
			}
			object, err := plane.read(t.Context(), workloads[0].Ref)
			if err != nil {
				t.Fatal(err)
			}
			if got := textIn(object.(*unstructured.Unstructured), c.path...); got != c.want {
				t.Errorf("%v is %q, want %q", c.path, got, c.want)
			}
			states, _, err := plane.restarted(t.Context(), func(revision string) bool { return revision == restart.Revision })
			if got := parseRestart(states[workloads[0].Ref].restart); err != nil || got != restart {
				t.Errorf("the recorded restart is %+v (%v), want %+v", got, err, restart)
			}
		})
	}
}

// An OpenKruise StatefulSet that is taken for one of Kubernetes does not exist, and would count as not ready for ever.
func TestUnreadableWorkloadsAreNamed(t *testing.T) {
	set := pod("db-0", "osm-v0-1-0", "StatefulSet", "db", func(p *corev1.Pod) { p.OwnerReferences[0].APIVersion = "apps.kruise.io/v1beta1" })
	workloads, err := planeOf(namespace("shop", "osm"), &set).Workloads(t.Context(), "osm")
	if err != nil || len(workloads) != 1 || !strings.Contains(workloads[0].Unread, "StatefulSet.apps.kruise.io cannot be read: the API server does not serve it") {
		t.Errorf("the workloads are %+v (%v)", workloads, err)
	}
}

// A kind that was installed after the latest look at discovery is found by its pods: an upgrade does not wait for workloads that cannot be read.
func TestPodsTellThatTheirKindIsServed(t *testing.T) {
	set := pod("db-0", "osm-v0-1-0", "StatefulSet", "db", func(p *corev1.Pod) { p.OwnerReferences[0].APIVersion = "apps.kruise.io/v1beta1" })
	object := parse(t, "{apiVersion: apps.kruise.io/v1beta1, kind: StatefulSet, metadata: {name: db, namespace: shop}}")
	p := planeOf(namespace("shop", "osm"), &set, object)
	now, served := noon, servedKinds{}
	p.thirdParty = newKindWatches(p.cache, served, p.meshOf, func() time.Time { return now })
	unread := func() string {
		workloads, err := p.Workloads(t.Context(), "osm")
		if err != nil || len(workloads) != 1 {
			t.Fatalf("the workloads are %+v (%v)", workloads, err)
		}
		return workloads[0].Unread
	}
	if unread() == "" {
		t.Error("a workload of a kind that is not served was read")
	}
	served["apps.kruise.io/v1beta1"] = []string{"StatefulSet"}
	if now = now.Add(absencePeriod); unread() != "" {
		t.Errorf("a workload is not read %s after the installation of its kind: %s", absencePeriod, unread())
	}
	delete(served, "apps.kruise.io/v1beta1")
	if now = now.Add(discoveryPeriod - time.Second); unread() != "" {
		t.Errorf("discovery is asked about a kind that was served: %s", unread())
	}
}

// informerCache has an informer that may not have synced.
type informerCache struct {
	cache.Cache
	informer *controllertest.FakeInformer
	// begun and removed count the watches that began and that ended.
	begun, removed int
	// fails is the error of RemoveInformer; nil if it works.
	fails error
}

func (c *informerCache) GetInformer(context.Context, client.Object, ...cache.InformerGetOption) (cache.Informer, error) {
	c.begun++
	return c.informer, nil
}

func (c *informerCache) RemoveInformer(context.Context, client.Object) error {
	c.removed++
	return c.fails
}

func TestKindWatchesFollowTheAPIServer(t *testing.T) {
	now, served := noon, servedKinds{}
	objects := &informerCache{informer: controllertest.NewFakeInformer(controllertest.Synced)}
	w := newKindWatches(objects, served, nil, func() time.Time { return now })
	readable := func() bool { return w.ensure(t.Context(), rolloutKind, discoveryPeriod) == nil }
	if readable() {
		t.Error("a kind is readable that is not served")
	}
	served["argoproj.io/v1alpha1"] = []string{"AnalysisRun", "Rollout"}
	if readable() {
		t.Error("discovery is asked for each read")
	}
	if now = now.Add(discoveryPeriod); !readable() {
		t.Error("a kind that is served now is not readable")
	}
	delete(served, "argoproj.io/v1alpha1")
	if now = now.Add(discoveryPeriod); readable() || objects.removed != 1 {
		t.Errorf("a kind that is gone is readable, or still watched: %d watches were stopped", objects.removed)
	}
}

func TestKindWatchesRequestReconciliations(t *testing.T) {
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	defer queue.ShutDown()
	plane := planeOf(namespace("shop", "osm"))
	if err := plane.thirdParty.source().Start(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	before := parse(t, rolloutText)
	plane.thirdParty.onUpdate(before, parse(t, rolloutText, "status: {", "status: {readyReplicas: 2, "))
	if queue.Len() != 0 {
		t.Error("a new status requests a reconciliation")
	}
	// No pod changes when a paused application goes on, or when an absent controller returns.
	plane.thirdParty.onUpdate(parse(t, rolloutText, "Healthy", "Paused"), before)
	if queue.Len() != 1 {
		t.Fatalf("a Rollout that becomes healthy requests %d reconciliations", queue.Len())
	}
	request, _ := queue.Get()
	queue.Done(request)
	plane.thirdParty.onUpdate(before, parse(t, rolloutText, "generation: 4", "generation: 5"))
	if queue.Len() != 1 {
		t.Fatalf("an edit requests %d reconciliations", queue.Len())
	}
	if request, _ = queue.Get(); request.Name != "osm" {
		t.Errorf("an edit requests %v", request)
	}
}

func TestThirdPartyKindsAreRestartable(t *testing.T) {
	for _, kind := range thirdPartyKinds {
		if ref := (rollout.Ref{Kind: nameOf(kind)}); !ref.Restartable() {
			t.Errorf("%s cannot be restarted", ref)
		}
		if _, found := thirdPartyKind(rollout.Ref{Kind: kind.Kind}); found {
			t.Errorf("a %s of Kubernetes is taken for one of %s", kind.Kind, kind.Group)
		}
	}
}

// A paused application and one without its controller are not restarted, but their pods are available, so that others need not wait.
func TestHeldWorkloads(t *testing.T) {
	for name, c := range map[string]struct {
		object     *unstructured.Unstructured
		held       string
		unobserved bool
	}{
		"Rollout":                              {parse(t, rolloutText), "", false},
		"Rollout that is paused in its canary": {parse(t, rolloutText, "Healthy", "Paused"), "its phase is Paused: its sidecars are upgraded when it is Healthy", false},
		"Rollout that progresses":              {parse(t, rolloutText, "Healthy", "Progressing"), "", false},
		"Rollout without its controller":       {parse(t, rolloutText, `observedGeneration: "4"`, `observedGeneration: "3"`), unobservedText, true},
		"CloneSet without its controller":      {parse(t, cloneSetText, "observedGeneration: 4", "observedGeneration: 3"), unobservedText, true},
		"StatefulSet without its controller":   {parse(t, kruiseSetText, "observedGeneration: 4", "observedGeneration: 3"), unobservedText, true},
		"CloneSet with a partition":            {parse(t, cloneSetText, "0%", "50%"), onDeleteText, false},
	} {
		if s := stateOf(c.object); s.heldReason() != c.held || s.unobserved != c.unobserved {
			t.Errorf("%s: held %q, unobserved %t; want %q, %t", name, s.heldReason(), s.unobserved, c.held, c.unobserved)
		}
	}
}
