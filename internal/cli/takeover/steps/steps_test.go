package steps

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// earlierController returns the controller of an Open Service Mesh.
func earlierController() *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
		Namespace: "osm-system", Name: names.Controller, Labels: map[string]string{names.AppLabel: names.Controller, names.MeshNameLabel: "osm"},
	}}
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: names.Controller, Args: []string{"--mesh-name", "osm"}}}
	return d
}

// adopting returns a Mesh at a step of a takeover.
func adopting(step v1alpha1.AdoptionStep) *v1alpha1.Mesh {
	m := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}}
	m.Spec.Namespace = ptr.To("osm-mesh")
	m.Spec.Adoption = &v1alpha1.AdoptionSpec{From: ptr.To("osm-system"), Step: ptr.To(step)}
	return m
}

// takeoverClient returns a client of a cluster whose operator puts each step into effect at once, and at its second look at the restarts or at the way
// back lets no sidecar remain. steps receives the declared steps.
func takeoverClient(t *testing.T, steps *[]string, objects ...client.Object) client.Client {
	scheme, err := kube.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	looks := 0
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		Patch: recordPatches(steps),
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
			if err := c.Get(ctx, key, o, options...); err != nil {
				return err
			}
			m, ok := o.(*v1alpha1.Mesh)
			if !ok || m.Spec.Adoption == nil {
				return nil
			}
			step := string(declaredTakeover(m).Declared)
			looks++
			left := int32(0)
			if looks%2 == 1 {
				left = 1
			}
			m.Status.Adoption = &v1alpha1.AdoptionStatus{From: "osm-system", Step: step, EarlierSidecars: left, Sidecars: left}
			m.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionAdopting, Status: metav1.ConditionTrue, Reason: step, Message: "it is", ObservedGeneration: m.Generation}}
			return nil
		},
	}).Build()
}

// recordPatches adds the content of each patch to a list.
func recordPatches(to *[]string) func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
	return func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, options ...client.PatchOption) error {
		text, err := p.Data(o)
		if err != nil {
			return err
		}
		*to = append(*to, string(text))
		return c.Patch(ctx, o, p, options...)
	}
}

// terminal returns a user who gives answers, and what they see.
func terminal(answers string, out, notes *strings.Builder) Terminal {
	reader := bufio.NewReader(strings.NewReader(answers))
	return Terminal{
		Confirm: func(skip bool, question string) (bool, error) {
			if skip {
				return true, nil
			}
			fmt.Fprintln(notes, question)
			answer, err := reader.ReadString('\n')
			return answer == "y\n", err
		},
		Line:   func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) },
		Note:   func(format string, args ...any) { fmt.Fprintf(notes, format+"\n", args...) },
		Report: func(string, ...any) {}, Elapsed: func() string { return "1s" }, Notes: notes, Sentence: func(err error) error { return err },
	}
}

// pollInterval is how often sessions of tests read objects.
const pollInterval = 500 * time.Millisecond

// session returns a session with a user who gives answers.
func session(c client.Client, out, notes *strings.Builder, answers string) *Session {
	return &Session{Terminal: terminal(answers, out, notes), Client: c, Now: time.Now, PollInterval: pollInterval}
}

// The steps are declared one after another, until the user stops or the last one is reached.
func TestTakeoverGoesStepByStep(t *testing.T) {
	for name, test := range map[string]struct {
		at       v1alpha1.AdoptionStep
		to       string
		answers  string
		earlier  bool
		declared []string
		err, out string
	}{
		"to the second step": {at: v1alpha1.AdoptionPrepared, to: "injecting", answers: "y\n", earlier: true, declared: []string{"Injecting"}, out: "step Injecting is in effect"},
		"refused":            {at: v1alpha1.AdoptionPrepared, to: "complete", answers: "n\n", earlier: true, out: "step Prepared is in effect"},
		"to the restarts":    {at: v1alpha1.AdoptionPrepared, to: "restarting", answers: "y\ny\n", earlier: true, declared: []string{"Injecting", "Restarting"}, out: "step Restarting is in effect"},
		"resumed":            {at: v1alpha1.AdoptionInjecting, to: "restarting", answers: "y\n", earlier: true, declared: []string{"Restarting"}, out: "step Restarting is in effect"},
		"until it runs": {
			at: v1alpha1.AdoptionRestarting, to: "complete", answers: "y\n", earlier: true, err: "the Open Service Mesh in namespace osm-system was not removed in time",
		},
		"to the end": {at: v1alpha1.AdoptionRestarting, to: "complete", answers: "y\n", declared: []string{"Complete", `{"spec":{"adoption":null}}`}, out: "The takeover is complete"},
	} {
		t.Run(name, func(t *testing.T) {
			objects := []client.Object{adopting(test.at)}
			if test.earlier {
				objects = append(objects, earlierController())
			}
			var declared []string
			var out, notes strings.Builder
			options := Options{To: test.to, Timeout: 2 * time.Second}
			if err := options.Check(); err != nil {
				t.Fatal(err)
			}
			err := session(takeoverClient(t, &declared, objects...), &out, &notes, test.answers).Forward(t.Context(), options)
			if test.err == "" && err != nil || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
				t.Fatalf("error %v, want %q", err, test.err)
			}
			if len(declared) != len(test.declared) {
				t.Fatalf("declared %q, want %q", declared, test.declared)
			}
			for i, want := range test.declared {
				if !strings.Contains(declared[i], want) {
					t.Errorf("declared %q, want %q", declared[i], want)
				}
			}
			if !strings.Contains(out.String(), test.out) {
				t.Errorf("printed %q, want %q", out.String(), test.out)
			}
		})
	}
}

// An interrupted command does not say that its time is over.
func TestInterruptedTakeoverIsNotLate(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	var declared []string
	var out, notes strings.Builder
	c := takeoverClient(t, &declared, adopting(v1alpha1.AdoptionRestarting), earlierController())
	time.AfterFunc(100*time.Millisecond, interrupt)
	err := session(c, &out, &notes, "").Forward(ctx, Options{To: "complete", Timeout: time.Minute})
	if err == nil || !strings.Contains(err.Error(), " yet: ") {
		t.Errorf("error %v", err)
	}
}

func TestTakeoverIsTakenBack(t *testing.T) {
	var declared []string
	var out, notes strings.Builder
	c := takeoverClient(t, &declared, adopting(v1alpha1.AdoptionRestarting), earlierController())
	if err := session(c, &out, &notes, "y\n").Back(t.Context(), Options{Timeout: 5 * time.Second}); err != nil {
		t.Fatal(err)
	}
	if len(declared) != 1 || !strings.Contains(declared[0], `"step":"Prepared"`) || !strings.Contains(out.String(), "kubectl delete mesh osm") {
		t.Errorf("declared %q, printed %q", declared, out.String())
	}
	for want, objects := range map[string][]client.Object{
		"there is nothing to take back":                            nil,
		"the Open Service Mesh in namespace osm-system is removed": {adopting(v1alpha1.AdoptionRestarting)},
	} {
		err := session(takeoverClient(t, &declared, objects...), &out, &notes, "y\n").Back(t.Context(), Options{Timeout: time.Second})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// A Mesh that is ready serves the sidecars of the Open Service Mesh until workloads are back.
func TestBridgeClosesWhenWorkloadsAreBack(t *testing.T) {
	for name, test := range map[string]struct {
		redirected bool
		ready      metav1.ConditionStatus
		want       []string
	}{
		"served":                    {redirected: true, ready: metav1.ConditionTrue, want: []string{`{"step":"Prepared"}`, `{"bridge":null,"service":null}`}},
		"the Mesh is not ready":     {redirected: true, ready: metav1.ConditionFalse, want: []string{`{"bridge":null,"service":null,"step":"Prepared"}`}},
		"served by OSM's own plane": {ready: metav1.ConditionTrue, want: []string{`{"bridge":null,"service":null,"step":"Prepared"}`}},
	} {
		m := adopting(v1alpha1.AdoptionRestarting)
		m.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: test.ready}}
		if test.redirected {
			m.Status.Adoption = &v1alpha1.AdoptionStatus{Service: string(v1alpha1.AdoptionServiceRedirect)}
		}
		var got []string
		for _, fields := range rollbackChanges(m) {
			text, err := json.Marshal(fields)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(text))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestSourceOfATakeoverIsFound(t *testing.T) {
	other := earlierController()
	other.Namespace = "second"
	for name, test := range map[string]struct {
		objects   []client.Object
		from      string
		want, err string
	}{
		"the only one":      {objects: []client.Object{earlierController()}, want: "osm-system"},
		"none":              {err: "no Open Service Mesh runs in this cluster"},
		"several":           {objects: []client.Object{earlierController(), other}, err: "--from (osm-system, second)"},
		"named":             {objects: []client.Object{earlierController(), other}, from: "second", want: "second"},
		"another namespace": {objects: []client.Object{earlierController()}, from: "shop", err: "no Open Service Mesh runs in namespace shop"},
	} {
		var declared []string
		found, err := FindSource(t.Context(), takeoverClient(t, &declared, test.objects...), test.from)
		if found.Namespace != test.want || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
			t.Errorf("%s: found %q and error %v, want %q and %q", name, found.Namespace, err, test.want, test.err)
		}
	}
}
