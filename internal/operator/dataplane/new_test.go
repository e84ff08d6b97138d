package dataplane

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// idleManager is a manager of an API server that does not exist.
type idleManager struct {
	manager.Manager
	config *rest.Config
	mapper meta.RESTMapper
	// fails is the error of Add.
	fails error
	added []manager.Runnable
}

func newIdleManager() *idleManager {
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Pod"), meta.RESTScopeNamespace)
	return &idleManager{config: &rest.Config{Host: "https://127.0.0.1:1"}, mapper: mapper}
}

func (m *idleManager) GetConfig() *rest.Config        { return m.config }
func (m *idleManager) GetRESTMapper() meta.RESTMapper { return m.mapper }
func (*idleManager) GetScheme() *runtime.Scheme       { return scheme.Scheme }
func (*idleManager) GetHTTPClient() *http.Client      { return &http.Client{} }
func (*idleManager) GetClient() client.Client         { return nil }
func (*idleManager) GetAPIReader() client.Reader      { return nil }
func (m *idleManager) Add(added manager.Runnable) error {
	m.added = append(m.added, added)
	return m.fails
}

// The watches of a Plane begin with the manager.
func TestNew(t *testing.T) {
	m := newIdleManager()
	plane, err := New(m, time.Now)
	if err != nil || plane.thirdParty == nil || len(m.added) != 1 || m.added[0] != plane.cache {
		t.Errorf("the Plane is %+v (%v), and the manager runs %v", plane, err, m.added)
	}
}

// A Plane without its watches would take every mesh for an empty one.
func TestPlanesThatCannotWatch(t *testing.T) {
	full := errors.New("the manager takes nothing more")
	for want, change := range map[string]func(*idleManager){
		"the sidecars cannot be watched":              func(m *idleManager) { m.mapper = meta.NewDefaultRESTMapper(nil) },
		"the kinds of workloads cannot be discovered": func(m *idleManager) { m.config.CAFile = "absent.crt" },
		full.Error(): func(m *idleManager) { m.fails = full },
	} {
		m := newIdleManager()
		change(m)
		if _, err := New(m, time.Now); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
}
