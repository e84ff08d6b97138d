package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/cert-manager/cert-manager/pkg/logs"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

// namespace is the namespace of cert-manager.
const namespace = "cert-manager"

func main() {
	logs.InitLogs()
	ctrl.SetLogger(klog.Background())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "cert-manager:", err)
		os.Exit(1)
	}
}

// run runs the component that the first argument names, with the other arguments.
func run(ctx context.Context, args []string) error {
	components := map[string]func(context.Context, []string) error{"controller": runController, "cainjector": runInjector, "webhook": runWebhook}
	if len(args) == 0 || components[args[0]] == nil {
		return fmt.Errorf("the arguments are %q: name one component, controller, cainjector or webhook", args)
	}
	return components[args[0]](ctx, args[1:])
}
