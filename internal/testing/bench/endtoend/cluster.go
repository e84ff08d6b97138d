package endtoend

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/config/crd"
	testenv "github.com/openservicemesh/osm-operator/internal/testing/envtest"
)

// serviceRange contains the addresses of the generated Services.
const serviceRange = "172.0.0.0/12"

// cluster is an API server with the definitions of the mesh.
type cluster struct {
	environment *envtest.Environment
	client      client.Client
	// kubeconfig is the path of an administrator's.
	kubeconfig string
}

// startCluster starts an API server and its etcd. KUBEBUILDER_ASSETS names the folder of the programs.
func startCluster(dir string) (*cluster, error) {
	definitions, err := testenv.ReadDefinitions(crd.Own, crd.SMI)
	if err != nil {
		return nil, err
	}
	c := &cluster{environment: &envtest.Environment{
		CRDInstallOptions: envtest.CRDInstallOptions{CRDs: definitions}, ControlPlaneStopTimeout: 20 * time.Second,
	}, kubeconfig: filepath.Join(dir, "kubeconfig")}
	arguments := c.environment.ControlPlane.GetAPIServer().Configure()
	arguments.Set("service-cluster-ip-range", serviceRange)
	// Without a controller manager, nothing creates the default service account of a namespace.
	arguments.Append("disable-admission-plugins", "ServiceAccount")
	config, err := c.environment.Start()
	if err != nil {
		return nil, fmt.Errorf("the API server cannot be started; KUBEBUILDER_ASSETS names the folder of its programs: %w", err)
	}
	if err := c.connect(config); err != nil {
		return nil, c.stop(err)
	}
	return c, nil
}

func (c *cluster) connect(config *rest.Config) error {
	config.QPS, config.Burst = -1, -1
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, configv1alpha2.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	var err error
	if c.client, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	user, err := c.environment.AddUser(envtest.User{Name: "osm-controller", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		return err
	}
	text, err := user.KubeConfig()
	if err != nil {
		return err
	}
	return os.WriteFile(c.kubeconfig, text, 0o600)
}

// stop stops the API server and returns the error of the measurement, or else its own.
func (c *cluster) stop(measured error) error {
	if err := c.environment.Stop(); measured == nil {
		return err
	}
	return measured
}
