package creation_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/internal/cli/creation"
)

var now = time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)

const denied = `admission webhook "osm-inject.k8s.io" denied the request: the annotation openservicemesh.io/outbound-port-exclusion-list is "abc"`

func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-" + name)}
}

// owned makes a Deployment the controller of a ReplicaSet.
func owned(m metav1.ObjectMeta, deployment string, age time.Duration) metav1.ObjectMeta {
	m.OwnerReferences = []metav1.OwnerReference{{Kind: "Deployment", Name: deployment, Controller: new(true)}}
	m.CreationTimestamp = metav1.NewTime(now.Add(-age))
	return m
}

func event(kind, name, message string, age time.Duration) *corev1.Event {
	return &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: kind + name + age.String()}, Reason: "FailedCreate", Message: message,
		InvolvedObject: corev1.ObjectReference{Kind: kind, Name: name, UID: types.UID("uid-" + name)}, LastTimestamp: metav1.NewTime(now.Add(-age)),
	}
}

func replicaSet(m metav1.ObjectMeta, replicas int32, reason, message string) *appsv1.ReplicaSet {
	rs := &appsv1.ReplicaSet{ObjectMeta: m, Spec: appsv1.ReplicaSetSpec{Replicas: new(int32(2))}, Status: appsv1.ReplicaSetStatus{Replicas: replicas}}
	rs.Spec.Template.Labels = map[string]string{"app": "web", "tier": "front"}
	if reason != "" {
		rs.Status.Conditions = []appsv1.ReplicaSetCondition{{Type: appsv1.ReplicaSetReplicaFailure, Status: corev1.ConditionTrue, Reason: reason, Message: message}}
	}
	return rs
}

// TestFind has every kind of workload, and those that lack nothing any more.
func TestFind(t *testing.T) {
	const failed = "FailedCreate"
	quota := `pods "web-1-x" is forbidden: exceeded quota: all, requested: pods=1, used: pods=5, limited: pods=5`
	job := func(spec batchv1.JobSpec, status batchv1.JobStatus) *batchv1.Job {
		return &batchv1.Job{ObjectMeta: meta("import"), Spec: spec, Status: status}
	}
	statefulSet := &appsv1.StatefulSet{ObjectMeta: meta("db"), Spec: appsv1.StatefulSetSpec{Replicas: new(int32(1))}}
	daemonSet := &appsv1.DaemonSet{ObjectMeta: meta("agent"), Status: appsv1.DaemonSetStatus{DesiredNumberScheduled: 3, CurrentNumberScheduled: 1}}
	done := batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: batchv1.JobFailed, Status: corev1.ConditionTrue}}}
	for name, test := range map[string]struct {
		objects []client.Object
		want    string
	}{
		"a Deployment":                    {[]client.Object{replicaSet(owned(meta("web-1"), "web", 0), 0, failed, quota)}, "Deployment shop/web: 2 pods cannot be created: " + quota},
		"a ReplicaSet":                    {[]client.Object{replicaSet(meta("web-1"), 1, failed, quota)}, "ReplicaSet shop/web-1: 1 pod cannot be created: " + quota},
		"it has its pods":                 {[]client.Object{replicaSet(owned(meta("web-1"), "web", 0), 2, failed, quota)}, ""},
		"another failure":                 {[]client.Object{replicaSet(owned(meta("web-1"), "web", 0), 0, "FailedDelete", quota)}, ""},
		"the newest ReplicaSet counts":    {[]client.Object{replicaSet(owned(meta("web-1"), "web", time.Hour), 0, failed, "old"), replicaSet(owned(meta("web-2"), "web", 0), 0, failed, "new")}, "Deployment shop/web: 2 pods cannot be created: new"},
		"before there is a condition":     {[]client.Object{replicaSet(owned(meta("web-1"), "web", 0), 0, "", ""), event("ReplicaSet", "web-1", "Error creating: "+denied, time.Minute)}, "Deployment shop/web: 2 pods cannot be created: " + denied},
		"a StatefulSet":                   {[]client.Object{statefulSet, event("StatefulSet", "db", "create Pod db-0 in StatefulSet db failed error: "+denied, time.Minute)}, "StatefulSet shop/db: 1 pod cannot be created: " + denied},
		"the newest Event":                {[]client.Object{statefulSet, event("StatefulSet", "db", "old", 2*time.Minute), event("StatefulSet", "db", "new", time.Minute)}, "StatefulSet shop/db: 1 pod cannot be created: new"},
		"an old Event":                    {[]client.Object{statefulSet, event("StatefulSet", "db", denied, 30*time.Minute)}, ""},
		"an Event of an earlier object":   {[]client.Object{statefulSet, event("StatefulSet", "other", denied, time.Minute)}, ""},
		"a DaemonSet":                     {[]client.Object{daemonSet, event("DaemonSet", "agent", "Error creating: "+denied, time.Minute)}, "DaemonSet shop/agent: 2 pods cannot be created: " + denied},
		"a Job":                           {[]client.Object{job(batchv1.JobSpec{Parallelism: new(int32(3)), Completions: new(int32(4))}, batchv1.JobStatus{Succeeded: 2}), event("Job", "import", "Error creating: "+denied, time.Minute)}, "Job shop/import: 2 pods cannot be created: " + denied},
		"a Job whose pods run":            {[]client.Object{job(batchv1.JobSpec{}, batchv1.JobStatus{Active: 1}), event("Job", "import", denied, time.Minute)}, ""},
		"a Job that has ended":            {[]client.Object{job(batchv1.JobSpec{}, done), event("Job", "import", denied, time.Minute)}, ""},
		"a suspended Job":                 {[]client.Object{job(batchv1.JobSpec{Suspend: new(true)}, batchv1.JobStatus{}), event("Job", "import", denied, time.Minute)}, ""},
		"a Job whose completions are met": {[]client.Object{job(batchv1.JobSpec{Completions: new(int32(1))}, batchv1.JobStatus{Succeeded: 1}), event("Job", "import", denied, time.Minute)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := fake.NewClientBuilder().WithObjects(test.objects...).WithStatusSubresource().WithIndex(&corev1.Event{}, "reason", func(o client.Object) []string {
				return []string{o.(*corev1.Event).Reason}
			}).Build()
			for _, namespace := range []string{"", "shop"} {
				found, err := creation.Find(t.Context(), c, namespace, now)
				if err != nil {
					t.Fatal(err)
				}
				var all []string
				for _, f := range found {
					all = append(all, f.Finding().Text())
				}
				if got := strings.Join(all, "; "); got != test.want {
					t.Errorf("the failures are %q, want %q", got, test.want)
				}
			}
			if found, err := creation.Find(t.Context(), c, "other", now); err != nil || len(found) != 0 {
				t.Errorf("another namespace has %v, %v", found, err)
			}
		})
	}
}

// TestSelects compares the labels of pods that do not exist.
func TestSelects(t *testing.T) {
	f := creation.Failure{Labels: map[string]string{"app": "web", "tier": "front"}}
	if !f.Selects(map[string]string{"app": "web"}) || f.Selects(map[string]string{"app": "web", "tier": "back"}) {
		t.Error("a selector matches other pods")
	}
}

// TestRemediesOfTheDocumentation compares the table of messages in the documentation with the remedies: each of its messages has one.
func TestRemediesOfTheDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../../docs/help/pod-does-not-start.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "| The message contains | Do this |")
	table, _, _ = strings.Cut(table, "\n## ")
	rows := regexp.MustCompile("(?m)^\\| (`.*?) \\|").FindAllStringSubmatch(table, -1)
	if len(rows) < 5 {
		t.Fatalf("%d messages are found in the table: has its form changed?", len(rows))
	}
	for _, row := range rows {
		for _, message := range regexp.MustCompile("`[^`]+`").FindAllString(row[1], -1) {
			f := creation.Failure{Sentence: strings.Trim(message, "`")}
			if message != "`failed quota`" && message != "`minimum`" && f.Remedy() == "see docs/help/pod-does-not-start.md" {
				t.Errorf("%s has no remedy", message)
			}
		}
	}
}

// TestLastingFailures do not end without a change, so nothing needs to wait for them.
func TestLastingFailures(t *testing.T) {
	for sentence, want := range map[string]bool{
		denied: true,
		`pods "a" is forbidden: violates PodSecurity "baseline:latest"`:                                                     true,
		`pods "a" is forbidden: failed quota: limits: must specify limits.memory for: envoy`:                                true,
		`pods "a" is forbidden: maximum cpu usage per Container is 1, but limit is 2`:                                       true,
		`pods "a" is forbidden: maximum memory usage per Pod is 1Gi, but limit is 1088Mi`:                                   true,
		`pods "a" is forbidden: cpu max limit to request ratio per Container is 4, but no limit is specified or limit is 0`: true,
		`pods "a" is forbidden: memory max limit to request ratio per Pod is 2, but provided ratio is 4.000000`:             true,
		`pods "a" is forbidden: exceeded quota: all, requested: pods=1`:                                                     false,
		`Internal error occurred: failed calling webhook "osm-inject.k8s.io": dial tcp: connection refused`:                 false,
		`pods "a" is forbidden: error looking up service account shop/web: serviceaccount "web" not found`:                  false,
	} {
		if got := (creation.Failure{Sentence: sentence}).IsLasting(); got != want {
			t.Errorf("%s: lasting %t, want %t", sentence, got, want)
		}
	}
}
