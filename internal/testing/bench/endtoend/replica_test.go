package endtoend

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// replica simulates the Deployments of a control plane, and one replica of osm-controller that reports sidecars without faults.
type replica struct {
	client  client.Client
	proxies func() []report.Proxy
}

// runReplica simulates a control plane until the benchmark ends.
func runReplica(b *testing.B, c client.Client, trustDomain string, proxies func() []report.Proxy) {
	b.Helper()
	r := &replica{c, proxies}
	r.serve(b, trustDomain)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_ = r.step(ctx) // what fails is tried again
			time.Sleep(200 * time.Millisecond)
		}
	}()
	b.Cleanup(func() { cancel(); <-done })
}

// serve answers requests for reports with a certificate of the mesh.
func (r *replica) serve(b *testing.B, trustDomain string) {
	b.Helper()
	secret := &corev1.Secret{}
	must(b, r.client.Get(b.Context(), client.ObjectKey{Namespace: namespace, Name: names.ActiveCASecret}, secret))
	root, err := certificate.Decode(secret.Data)
	must(b, err)
	own, err := certificate.NewIssuer(root, certificate.KeySpec{}, time.Now).Server([]string{names.ReportCommonName(trustDomain)}, time.Hour)
	must(b, err)
	pair, err := tls.X509KeyPair(own.ChainPEM, own.KeyPEM)
	must(b, err)
	listener, err := tls.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(names.ReportPort)), &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}})
	must(b, err)
	answers := http.NewServeMux()
	answers.HandleFunc(report.ProxiesPath, func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(report.Proxies{Proxies: r.proxies()})
	})
	answers.HandleFunc(report.LoadsPath, func(w http.ResponseWriter, _ *http.Request) {
		sidecars := len(r.proxies())
		_ = json.NewEncoder(w).Encode(report.Loads{Since: time.Now().Add(-time.Hour), Sidecars: sidecars, Reporting: sidecars})
	})
	// The operator may ask before it has read the authority.
	server := &http.Server{Handler: answers, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = server.Serve(listener) }()
	b.Cleanup(func() { _ = server.Close() })
}

// step completes the rollouts of Deployments, and replaces the pod of osm-controller after one.
func (r *replica) step(ctx context.Context) error {
	var deployments appsv1.DeploymentList
	if err := r.client.List(ctx, &deployments, client.InNamespace(namespace)); err != nil {
		return err
	}
	for i := range deployments.Items {
		d := &deployments.Items[i]
		if d.Name == names.Controller {
			if err := r.replacePod(ctx, d); err != nil {
				return err
			}
		}
		if d.Status.ObservedGeneration != d.Generation {
			if err := complete(ctx, r.client, d); err != nil {
				return err
			}
		}
	}
	return nil
}

// replacePod makes sure that there is one pod of osm-controller, of the present generation of its Deployment.
func (r *replica) replacePod(ctx context.Context, d *appsv1.Deployment) error {
	name := fmt.Sprintf("%s-%d", d.Name, d.Generation)
	if err := r.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &corev1.Pod{}); err == nil || client.IgnoreNotFound(err) != nil {
		return err
	}
	if err := r.client.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(namespace), client.MatchingLabels(d.Spec.Selector.MatchLabels), client.GracePeriodSeconds(0)); err != nil {
		return err
	}
	set := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, OwnerReferences: controlledBy("Deployment", d)},
		Spec:       appsv1.ReplicaSetSpec{Selector: d.Spec.Selector, Template: d.Spec.Template},
	}
	if err := r.client.Create(ctx, set); client.IgnoreAlreadyExists(err) != nil {
		return err
	}
	if err := r.client.Get(ctx, client.ObjectKeyFromObject(set), set); err != nil {
		return err
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: d.Spec.Template.Labels, OwnerReferences: controlledBy("ReplicaSet", set)},
		Spec:       corev1.PodSpec{NodeName: "node-000", Containers: []corev1.Container{{Name: names.Controller, Image: "example.com/any:v1"}}},
	}
	if err := r.client.Create(ctx, pod); err != nil {
		return err
	}
	pod.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: "127.0.0.1", PodIPs: []corev1.PodIP{{IP: "127.0.0.1"}},
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()}},
	}
	return r.client.Status().Update(ctx, pod)
}

func controlledBy(kind string, owner client.Object) []metav1.OwnerReference {
	return []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: owner.GetName(), UID: owner.GetUID(), Controller: ptr.To(true)}}
}
