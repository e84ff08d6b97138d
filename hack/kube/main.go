package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	_ "time/tzdata" // CronJob time zones must not depend on the host's tz database

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"          // the JSON log format
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client metrics
	_ "k8s.io/component-base/metrics/prometheus/version"  // build information metric
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// programs maps the name the binary is called by to what runs; each returns the exit code.
func programs() map[string]func() int {
	return map[string]func() int{
		"etcd":                    runEtcd,
		"kube-apiserver":          component(apiserver.NewAPIServerCommand),
		"kube-controller-manager": component(controllermanager.NewControllerManagerCommand),
		"kube-scheduler":          component(func() *cobra.Command { return scheduler.NewSchedulerCommand() }),
		"kube-proxy":              component(proxy.NewProxyCommand),
		"kubelet":                 component(func() *cobra.Command { return kubeletCommand(kubelet.NewKubeletCommand) }),
		"kubectl":                 runKubectl,
	}
}

func main() {
	known := programs()
	run, ok := known[filepath.Base(os.Args[0])]
	if !ok && len(os.Args) > 1 {
		// `kube kubectl get pods` works too, for those who have only the one file.
		if run, ok = known[os.Args[1]]; ok {
			os.Args = os.Args[1:]
		}
	}
	if !ok {
		fmt.Fprintf(os.Stderr, "This binary is several programs: call it through a link named as one of them, or name it first: %s.\n",
			strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		os.Exit(2)
	}
	os.Exit(run())
}

// component builds the command only when it is asked for: constructing all of them costs every kubectl call its start-up time.
func component(newCommand func() *cobra.Command) func() int {
	return func() int { return cli.Run(newCommand()) }
}

// kubeletCommand calls the constructor of the kubelet's command, which has no context in the oldest version.
func kubeletCommand(constructor any) *cobra.Command {
	switch construct := constructor.(type) {
	case func() *cobra.Command:
		return construct()
	case func(context.Context) *cobra.Command:
		return construct(context.Background())
	default:
		panic(fmt.Sprintf("the kubelet's constructor is a %T", constructor))
	}
}

func runEtcd() int {
	etcdmain.Main(os.Args)
	return 0
}

func runKubectl() int {
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err)
	}
	return 0
}
