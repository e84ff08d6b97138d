package leader

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// lease is a Lease that was acquired and renewed before the start.
func lease(namespace, holder string, acquired, renewed time.Duration) *coordinationv1.Lease {
	return &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: "osm-operator", Namespace: namespace},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity: ptr.To(holder), LeaseDurationSeconds: ptr.To[int32](15),
			AcquireTime: &metav1.MicroTime{Time: start.Add(-acquired)}, RenewTime: &metav1.MicroTime{Time: start.Add(-renewed)},
		},
	}
}

// cluster has Leases. Only operators of the namespaces may change the status of meshes.
func cluster(operators []string, leases ...client.Object) client.WithWatch {
	return fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(leases...).
		WithIndex(&coordinationv1.Lease{}, "metadata.name", func(o client.Object) []string { return []string{o.GetName()} }).
		WithInterceptorFuncs(interceptor.Funcs{Create: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.CreateOption) error {
			review, isReview := o.(*authorizationv1.SubjectAccessReview)
			if !isReview {
				return c.Create(ctx, o, options...)
			}
			for _, namespace := range operators {
				review.Status.Allowed = review.Status.Allowed || review.Spec.User == "system:serviceaccount:"+namespace+":osm-operator"
			}
			return nil
		}}).Build()
}

func TestFirst(t *testing.T) {
	operators := []string{"mine", "first", "second", "stopped", "crashed"}
	for _, test := range []struct {
		name   string
		leases []client.Object
		want   string
	}{
		{"none", nil, ""},
		{"a replica of this operator", []client.Object{lease("mine", "other-replica", time.Hour, 0)}, ""},
		{"another operator", []client.Object{lease("second", "x", time.Hour, 3*time.Second)}, "second"},
		{"two others", []client.Object{lease("first", "x", time.Hour, 0), lease("second", "y", time.Minute, 0)}, "first"},
		{"one that released its Lease", []client.Object{lease("stopped", "", time.Hour, 0)}, ""},
		{"one that crashed", []client.Object{lease("crashed", "x", time.Hour, 2*time.Minute)}, ""},
		{"a Lease that anybody created", []client.Object{lease("tenant", "x", time.Hour, 0)}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			others := &Others{Client: cluster(operators, test.leases...), Namespace: "mine", Now: func() time.Time { return start }}
			got, err := others.First(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if name := ptr.Deref(got, Other{}).Namespace; name != test.want {
				t.Errorf("the other operator is %q, want %q", name, test.want)
			}
		})
	}
}

// memory is the Lease of this operator.
type memory struct {
	record *resourcelock.LeaderElectionRecord
}

func (m *memory) Get(context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	if m.record == nil {
		return nil, nil, errors.New("not found")
	}
	return m.record, nil, nil
}

func (m *memory) Create(_ context.Context, r resourcelock.LeaderElectionRecord) error {
	m.record = &r
	return nil
}

func (m *memory) Update(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	return m.Create(ctx, r)
}
func (*memory) RecordEvent(string) {}
func (*memory) Identity() string   { return "me" }
func (*memory) Describe() string   { return "lease" }

// record is what an elected replica writes.
func record(acquired time.Time) resourcelock.LeaderElectionRecord {
	return resourcelock.LeaderElectionRecord{HolderIdentity: "me", AcquireTime: metav1.NewTime(acquired)}
}

func TestLockWaitsForAnotherOperator(t *testing.T) {
	c := cluster([]string{"first"}, lease("first", "x", time.Hour, 0))
	var waitedFor []string
	followed := 0
	lock := &Lock{
		Interface: &memory{record: &resourcelock.LeaderElectionRecord{}}, Log: testr.New(t),
		Others:  &Others{Client: c, Namespace: "mine", Now: func() time.Time { return start }},
		StandBy: func(other Other) { waitedFor = append(waitedFor, other.Namespace) }, Followed: func() { followed++ },
		Wait: func(ctx context.Context, _ time.Duration) error {
			return c.Delete(ctx, lease("first", "x", time.Hour, 0))
		},
	}
	if _, _, err := lock.Get(t.Context()); err == nil {
		t.Error("the caller must start again after waiting, because its times are old")
	}
	if len(waitedFor) != 1 || waitedFor[0] != "first" || followed != 1 {
		t.Errorf("waited for %v, want the operator in namespace first", waitedFor)
	}
	if _, _, err := lock.Get(t.Context()); err != nil {
		t.Errorf("the other operator has stopped: %v", err)
	}
}

func TestOfTwoActiveOperatorsTheSecondStops(t *testing.T) {
	for _, test := range []struct {
		name  string
		mine  time.Duration
		stops bool
	}{
		{"this one was first", 2 * time.Hour, false},
		{"this one was second", time.Minute, true},
		{"both at once: the order of the names decides", time.Hour, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			now := start
			c := cluster([]string{"first"})
			lock := &Lock{
				Interface: &memory{}, Log: testr.New(t),
				Others: &Others{Client: c, Namespace: "mine", Now: func() time.Time { return now }},
			}
			mine := record(start.Add(-test.mine))
			if err := lock.Create(t.Context(), mine); err != nil {
				t.Fatal(err)
			}
			if err := c.Create(t.Context(), lease("first", "x", time.Hour, 0)); err != nil {
				t.Fatal(err)
			}
			now = start.Add(leaderInterval)
			if err := lock.Update(t.Context(), mine); (err != nil) != test.stops {
				t.Errorf("the renewal returns %v, want an error: %t", err, test.stops)
			}
			if err := lock.Update(t.Context(), resourcelock.LeaderElectionRecord{}); err != nil {
				t.Errorf("a Lease can always be released: %v", err)
			}
		})
	}
}

// A search that fails, such as one that a cluster does not allow, does not stop the operator.
func TestLockWithoutPermission(t *testing.T) {
	c := interceptor.NewClient(cluster(nil), interceptor.Funcs{List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
		return errors.New("forbidden")
	}})
	lock := &Lock{
		Interface: &memory{record: &resourcelock.LeaderElectionRecord{}}, Log: testr.New(t),
		Others: &Others{Client: c, Namespace: "mine", Now: func() time.Time { return start }},
	}
	if _, _, err := lock.Get(t.Context()); err != nil {
		t.Error(err)
	}
	if err := lock.Create(t.Context(), record(start.Add(-time.Hour))); err != nil {
		t.Error(err)
	}
	if err := lock.Update(t.Context(), record(start.Add(-time.Hour))); err != nil {
		t.Error(err)
	}
}

// TestOtherReplicaIsSeen reads the Lease several times. Only a holder that renews it is active.
func TestOtherReplicaIsSeen(t *testing.T) {
	at := func(seconds int) metav1.Time { return metav1.NewTime(start.Add(time.Duration(seconds) * time.Second)) }
	type read struct {
		holder  string
		renewed int
	}
	for name, test := range map[string]struct {
		reads []read
		want  bool
	}{
		"nobody holds it":         {[]read{{"", 0}, {"", 2}}, false},
		"a replica renews it":     {[]read{{"x", 0}, {"x", 2}}, true},
		"a replica was killed":    {[]read{{"x", 0}, {"x", 0}, {"x", 0}}, false},
		"another one acquires it": {[]read{{"x", 0}, {"y", 2}}, false},
		"it holds it itself":      {[]read{{"me", 0}, {"me", 2}}, false},
	} {
		held, followed := &memory{}, false
		lock := &Lock{
			Interface: held, Log: testr.New(t), Followed: func() { followed = true },
			Others: &Others{Client: cluster(nil), Namespace: "mine", Now: func() time.Time { return start }},
		}
		for _, r := range test.reads {
			held.record = &resourcelock.LeaderElectionRecord{HolderIdentity: r.holder, RenewTime: at(r.renewed)}
			if _, _, err := lock.Get(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if followed != test.want {
			t.Errorf("%s: another replica is active: %t", name, followed)
		}
	}
}
