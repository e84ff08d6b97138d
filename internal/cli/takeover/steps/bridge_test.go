package steps

import (
	"context"
	"errors"
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

// bridgingClient returns a client of a cluster whose operator opens each declared bridge with a status and replaces the pods of the controller at once.
// patches receives what was written, by kind.
func bridgingClient(t *testing.T, bridge metav1.ConditionStatus, patches *[]string, objects ...client.Object) client.Client {
	t.Helper()
	scheme, err := kube.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		Patch: recordPatches(patches),
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
			if err := c.Get(ctx, key, o, options...); err != nil {
				return err
			}
			switch o := o.(type) {
			case *appsv1.Deployment:
				o.Status = appsv1.DeploymentStatus{ObservedGeneration: o.Generation, Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1}
			case *v1alpha1.Mesh:
				if o.Spec.Adoption != nil && o.Spec.Adoption.Bridge != nil {
					o.Status.Adoption = &v1alpha1.AdoptionStatus{From: "osm-system", Service: string(ptr.Deref(o.Spec.Adoption.Service, ""))}
					o.Status.Conditions = []metav1.Condition{
						{Type: v1alpha1.ConditionServingOSMSidecars, Status: bridge, Reason: "Bridge", Message: "is as declared"},
						{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue},
					}
				}
			}
			return nil
		},
	}).Build()
}

func TestBridgeOpens(t *testing.T) {
	for name, test := range map[string]struct {
		bridge   metav1.ConditionStatus
		removed  bool
		unserved []int
		err      string
		patches  []string
	}{
		"after the sidecars have connected": {
			bridge: metav1.ConditionTrue, unserved: []int{2, -1, 0},
			patches: []string{`{"spec":{"adoption":{"bridge":{"duration":"72h"},"service":"Redirect"}}}`, `"kubectl.kubernetes.io/restartedAt":"2027-05-04T12:00:00Z"`},
		},
		"without a controller": {bridge: metav1.ConditionTrue, removed: true, unserved: []int{0}, patches: []string{`"service":"Redirect"`, "restartedAt"}},
		"not: its time is over": {
			bridge: metav1.ConditionFalse, unserved: []int{0}, err: "not in effect in time: Bridge: is as declared", patches: []string{`"service":"Redirect"`},
		},
		"not: a sidecar does not connect": {
			bridge: metav1.ConditionTrue, unserved: []int{1}, err: "not in effect in time: 1 sidecar of the Open Service Mesh not connected", patches: []string{`"service":"Redirect"`, "restartedAt"},
		},
		"not: no replica answers": {bridge: metav1.ConditionTrue, unserved: []int{-1}, err: "cannot read which sidecars are connected: no answer", patches: []string{`"service":"Redirect"`, "restartedAt"}},
	} {
		t.Run(name, func(t *testing.T) {
			mesh, objects := adopting(v1alpha1.AdoptionInjecting), []client.Object{}
			if !test.removed {
				objects = append(objects, earlierController())
			}
			var patches []string
			var out, notes strings.Builder
			c := bridgingClient(t, test.bridge, &patches, append(objects, mesh)...)
			s := session(c, &out, &notes, "")
			s.Now = func() time.Time { return time.Date(2027, 5, 4, 12, 0, 0, 0, time.UTC) }
			opener := bridgeOpener{Session: s, mesh: mesh, duration: 72 * time.Hour, unserved: func(context.Context) (int, error) {
				next := test.unserved[0]
				if len(test.unserved) > 1 {
					test.unserved = test.unserved[1:]
				}
				if next < 0 {
					return 0, errors.New("no answer")
				}
				return next, nil
			}}
			ctx, cancel := context.WithTimeout(t.Context(), 4*pollInterval)
			defer cancel()
			err := opener.open(ctx)
			if test.err == "" && err != nil || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
				t.Fatalf("error %v, want %q", err, test.err)
			}
			if len(patches) != len(test.patches) {
				t.Fatalf("wrote %q, want %q", patches, test.patches)
			}
			for i, want := range test.patches {
				if !strings.Contains(patches[i], want) {
					t.Errorf("wrote %q, want %q", patches[i], want)
				}
			}
		})
	}
}

// The bridge is opened before the restarts, and once: an interrupted command opens it again, and a later one does not.
func TestBridgeIsOpenedOnce(t *testing.T) {
	for name, test := range map[string]struct {
		step   v1alpha1.AdoptionStep
		serves bool
		asks   bool
	}{
		"before the restarts":                     {step: v1alpha1.AdoptionInjecting, asks: true},
		"interrupted":                             {step: v1alpha1.AdoptionInjecting, serves: true, asks: true},
		"while workloads restart":                 {step: v1alpha1.AdoptionRestarting, asks: true},
		"while workloads restart, and it is open": {step: v1alpha1.AdoptionRestarting, serves: true},
		"after the end":                           {step: v1alpha1.AdoptionComplete},
	} {
		mesh := adopting(test.step)
		if test.serves {
			mesh.Spec.Adoption.Service = ptr.To(v1alpha1.AdoptionServiceRedirect)
		}
		var patches []string
		var out, notes strings.Builder
		c := bridgingClient(t, metav1.ConditionTrue, &patches, mesh)
		answers := "n\n"
		proceed, err := session(c, &out, &notes, answers).openBridge(t.Context(), mesh, Options{Bridge: time.Hour, Timeout: time.Second})
		if err != nil || proceed == test.asks || strings.Contains(notes.String(), "restart the Deployment "+names.Controller) != test.asks || len(patches) > 0 {
			t.Errorf("%s: proceeds %t, error %v, asked %q, wrote %q", name, proceed, err, notes.String(), patches)
		}
	}
}

// Without --bridge, the command says before the restarts why they need it, also when it goes on with a takeover.
func TestRestartsSayWhyTheyNeedTheBridge(t *testing.T) {
	member := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{names.MonitoredByLabel: "osm"}}}
	bare := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1", Labels: map[string]string{names.ProxyUUIDLabel: "0b0a3a1e-0c36-4fd3-9b07-5f0e6f5f0d11"}}}
	bare.Spec.Containers = []corev1.Container{{Name: "web"}, {Name: names.SidecarContainer}}
	bare.Spec.Volumes = []corev1.Volume{{Name: "envoy-bootstrap-config-volume"}}
	for name, test := range map[string]struct {
		step    v1alpha1.AdoptionStep
		serves  bool
		objects []client.Object
		told    bool
	}{
		"a bare pod":              {step: v1alpha1.AdoptionInjecting, objects: []client.Object{member, bare}, told: true},
		"no pod":                  {step: v1alpha1.AdoptionInjecting, objects: []client.Object{member}},
		"the bridge is open":      {step: v1alpha1.AdoptionInjecting, serves: true, objects: []client.Object{member, bare}},
		"while workloads restart": {step: v1alpha1.AdoptionRestarting, objects: []client.Object{member, bare}},
	} {
		mesh := adopting(test.step)
		if test.serves {
			mesh.Spec.Adoption.Service = ptr.To(v1alpha1.AdoptionServiceRedirect)
		}
		var patches []string
		var out, notes strings.Builder
		c := bridgingClient(t, metav1.ConditionTrue, &patches, append(test.objects, mesh)...)
		proceed, err := session(c, &out, &notes, "").openBridge(t.Context(), mesh, Options{Timeout: time.Second})
		told := strings.Contains(notes.String(), "1 workload that the operator does not restart may call workloads that it restarts. With `osm migrate run --bridge 72h`, the Mesh serves them")
		if err != nil || !proceed || told != test.told || len(patches) > 0 {
			t.Errorf("%s: proceeds %t, error %v, told %q, wrote %q", name, proceed, err, notes.String(), patches)
		}
	}
}

func TestDurationOfABridge(t *testing.T) {
	for duration, valid := range map[time.Duration]bool{0: true, time.Second: false, time.Minute: true, 720 * time.Hour: true, 721 * time.Hour: false, -time.Hour: false} {
		if err := checkBridge(duration); (err == nil) != valid {
			t.Errorf("%s: %v", duration, err)
		}
	}
}
