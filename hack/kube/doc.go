// Command kube is every Kubernetes program of the local cluster in one binary: etcd, kube-apiserver, kube-controller-manager,
// kube-scheduler, kubelet, kube-proxy and kubectl. The name it is called by (argv[0], usually a symbolic link) decides which one
// runs. One binary instead of seven, because they share nearly all of their code: it builds in a fifth of the time and is a fifth of the size.
//
// In: the command line of the program it stands for. Out: that program, unchanged.
package main
