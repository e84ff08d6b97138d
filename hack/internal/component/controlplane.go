package component

import (
	"fmt"

	"github.com/openservicemesh/osm-operator/hack/internal/certs"
)

// etcd uses non-default ports, to avoid a conflict with another etcd on the machine. EtcdURL is for its clients.
const (
	EtcdURL     = "https://127.0.0.1:12379"
	etcdPeerURL = "http://127.0.0.1:12380"
)

// issuer is the service account issuer, with the value that most clusters use.
const issuer = "https://kubernetes.default.svc.cluster.local"

func (c Cluster) etcd() []string {
	return []string{
		"--name=osm-local",
		"--data-dir=" + c.State.Etcd(),
		"--listen-client-urls=" + EtcdURL,
		"--advertise-client-urls=" + EtcdURL,
		"--listen-peer-urls=" + etcdPeerURL,
		"--initial-advertise-peer-urls=" + etcdPeerURL,
		"--initial-cluster=osm-local=" + etcdPeerURL,
		"--cert-file=" + c.Cert(certs.Etcd+".crt"),
		"--key-file=" + c.Cert(certs.Etcd+".key"),
		"--trusted-ca-file=" + c.Cert(certs.EtcdCA+".crt"),
		"--client-cert-auth",
		// Writes are several times faster without fsync. A power cut may lose the data, which does not outlive the
		// cluster anyway.
		"--unsafe-no-fsync",
		"--log-level=warn",
	}
}

func (c Cluster) apiServer() []string {
	return []string{
		"--bind-address=" + c.Plan.NodeV4().String(),
		fmt.Sprintf("--secure-port=%d", c.Plan.APIPort),
		"--advertise-address=" + c.Plan.NodeV4().String(),
		"--etcd-servers=" + EtcdURL,
		"--etcd-cafile=" + c.Cert(certs.EtcdCA+".crt"),
		"--etcd-certfile=" + c.Cert(certs.APIServerEtcd+".crt"),
		"--etcd-keyfile=" + c.Cert(certs.APIServerEtcd+".key"),
		"--client-ca-file=" + c.Cert(certs.ClusterCA+".crt"),
		"--tls-cert-file=" + c.Cert(certs.APIServer+".crt"),
		"--tls-private-key-file=" + c.Cert(certs.APIServer+".key"),
		"--kubelet-certificate-authority=" + c.Cert(certs.ClusterCA+".crt"),
		"--kubelet-client-certificate=" + c.Cert(certs.APIServerKubelet+".crt"),
		"--kubelet-client-key=" + c.Cert(certs.APIServerKubelet+".key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--requestheader-client-ca-file=" + c.Cert(certs.FrontProxyCA+".crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + c.Cert(certs.FrontProxy+".crt"),
		"--proxy-client-key-file=" + c.Cert(certs.FrontProxy+".key"),
		"--service-account-issuer=" + issuer,
		"--service-account-signing-key-file=" + c.Cert(certs.ServiceAccount+".key"),
		"--service-account-key-file=" + c.Cert(certs.ServiceAccount+".pub"),
		"--service-cluster-ip-range=" + c.ServiceRanges(),
		"--authorization-mode=Node,RBAC",
		"--allow-privileged=true",
		"--audit-policy-file=" + c.configFile("audit.yaml"),
		"--audit-log-path=" + c.State.AuditLog(),
		// In megabytes. One file holds a whole run of the tests.
		"--audit-log-maxsize=1000",
		"--profiling=false",
	}
}

func (c Cluster) controllerManager() []string {
	return []string{
		"--kubeconfig=" + c.Cert(certs.ControllerManagerUser+".kubeconfig"),
		"--authentication-kubeconfig=" + c.Cert(certs.ControllerManagerUser+".kubeconfig"),
		"--authorization-kubeconfig=" + c.Cert(certs.ControllerManagerUser+".kubeconfig"),
		"--secure-port=0",
		"--leader-elect=false",
		"--use-service-account-credentials=true",
		"--service-account-private-key-file=" + c.Cert(certs.ServiceAccount+".key"),
		"--root-ca-file=" + c.Cert(certs.ClusterCA+".crt"),
		"--cluster-signing-cert-file=" + c.Cert(certs.ClusterCA+".crt"),
		"--cluster-signing-key-file=" + c.Cert(certs.ClusterCA+".key"),
		"--cluster-cidr=" + c.PodRanges(),
		"--service-cluster-ip-range=" + c.ServiceRanges(),
		// Pod addresses come from the CNI configuration of the single node, not from ranges per node.
		"--allocate-node-cidrs=false",
		"--flex-volume-plugin-dir=" + c.State.VolumePlugins(),
		"--endpointslice-updates-batch-period=0s",
		"--endpoint-updates-batch-period=0s",
		// The node cannot report while the API server is stopped. If it were marked lost, all its pods would become
		// unready at once, and every Service would have no endpoints.
		"--node-monitor-grace-period=5m",
		"--kube-api-qps=300",
		"--kube-api-burst=600",
		"--profiling=false",
	}
}

func (c Cluster) kubelet() []string {
	return []string{
		"--config=" + c.configFile("kubelet.yaml"),
		"--kubeconfig=" + c.Cert(certs.KubeletUser+".kubeconfig"),
		"--root-dir=" + c.State.Kubelet(),
		"--cert-dir=" + c.State.Kubelet() + "/pki",
		"--hostname-override=" + c.Plan.NodeName,
		"--node-ip=" + c.Plan.NodeV4().String() + "," + c.Plan.NodeV6().String(),
	}
}

// PodRanges returns both ranges of pod addresses, IPv4 first, separated by a comma.
func (c Cluster) PodRanges() string { return c.Plan.PodV4.String() + "," + c.Plan.PodV6.String() }

// ServiceRanges returns both ranges of cluster IPs. The first is the family of single-stack Services.
func (c Cluster) ServiceRanges() string {
	return c.Plan.ServiceV4.String() + "," + c.Plan.ServiceV6.String()
}
