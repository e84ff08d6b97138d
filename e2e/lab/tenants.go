package lab

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var (
	//go:embed tenants/policies.yaml
	tenantPolicies string
	//go:embed tenants/namespace.yaml
	tenantNamespace string
)

// TenantEnv is the variable that the platform's admission policy adds to each container of a tenant.
const TenantEnv = "PLATFORM_CLUSTER"

// tenantRegistry is what the platform's admission policy puts before the image of a tenant's container that names no registry. For the
// container runtime both are the same image.
const tenantRegistry = "docker.io/"

// tenantLimit is the time limit for the policies of a platform to apply. The API server compiles policies about a second after they were created.
const tenantLimit = 30 * time.Second

// tenantKubernetes is the first version that serves MutatingAdmissionPolicy v1.
const tenantKubernetes = "1.36"

// RequireTenants skips a test on a version of Kubernetes where MakeTenant is impossible. It never skips on the version of most tests.
func (c *Cluster) RequireTenants(t interface {
	Test
	Skip(args ...any)
},
) {
	t.Helper()
	server, err := c.KubernetesVersion(t.Context())
	Must(t, err)
	if server.LessThan(version.MustParseGeneric(tenantKubernetes)) {
		t.Skip("Kubernetes", server, "has no MutatingAdmissionPolicy")
	}
}

// MakeTenant makes an existing namespace of a mesh one as platform teams make them: with labels of Pod Security, a LimitRange, a ResourceQuota and
// NetworkPolicies. Admission policies of the cluster rewrite images, add variables to the environment and reject pods with privileges. It returns when all of
// these apply. The API server must serve MutatingAdmissionPolicy v1, as Kubernetes 1.36 does.
func (c *Cluster) MakeTenant(ctx context.Context, namespace string) error {
	if err := c.Put(ctx, tenantPolicies); err != nil {
		return fmt.Errorf("create the admission policies of a platform: %w", err)
	}
	if err := c.Put(ctx, strings.ReplaceAll(tenantNamespace, "NAMESPACE", namespace)); err != nil {
		return err
	}
	return Until(ctx, tenantLimit, "the policies of the platform apply to "+namespace, func(ctx context.Context) (bool, string, error) {
		_, pod := c.TenantPod(namespace, "trial")
		pod.Spec.ServiceAccountName = "default"
		if err := c.Client.Create(ctx, pod, client.DryRunAll); err != nil {
			return false, "", err
		}
		_, privileged := c.TenantPod(namespace, "trial")
		privileged.Spec.ServiceAccountName = "default"
		privileged.Spec.HostPID = true
		err := c.Client.Create(ctx, privileged, client.DryRunAll)
		missing := CheckTenantPod(pod)
		return err != nil && missing == "", fmt.Sprint(missing, " ", err), nil
	})
}

// TenantPod is TestPod with the resources that the LimitRange of a tenant's namespace gives it.
func (c *Cluster) TenantPod(namespace, name string) (*corev1.ServiceAccount, *corev1.Pod) {
	account, pod := c.TestPod(namespace, name)
	pod.Spec.Containers[0].Resources = corev1.ResourceRequirements{}
	return account, pod
}

// CheckTenantPod returns what a container of a pod lacks that the policies of a platform give it; empty if they apply to all.
func CheckTenantPod(pod *corev1.Pod) string {
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		limits := container.Resources.Limits
		switch {
		case !strings.HasPrefix(container.Image, tenantRegistry):
			return "container " + container.Name + " has the image " + container.Image
		case !slices.ContainsFunc(container.Env, func(v corev1.EnvVar) bool { return v.Name == TenantEnv }):
			return "container " + container.Name + " has no variable " + TenantEnv
		case limits.Cpu().IsZero() || limits.Memory().IsZero():
			return "container " + container.Name + " has no limits"
		}
	}
	return ""
}

// RemoveTenantPolicies deletes the admission policies of MakeTenant.
func (c *Cluster) RemoveTenantPolicies(ctx context.Context) error {
	return c.Remove(ctx, tenantPolicies)
}
