package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cert-manager/cert-manager/pkg/controller"
	gatewayshim "github.com/cert-manager/cert-manager/pkg/controller/certificate-shim/gateways"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"   // registers a controller
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/ca"         // registers a controller
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/selfsigned" // registers a controller
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/vault"      // registers a controller
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"           // registers a controller
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"        // registers a controller
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"         // registers a controller
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"    // registers a controller
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"   // registers a controller
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"           // registers a controller
	_ "github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"                 // registers a controller
	_ "github.com/cert-manager/cert-manager/pkg/controller/issuers"                        // registers a controller
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"                                 // registers an issuer
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"                         // registers an issuer
	_ "github.com/cert-manager/cert-manager/pkg/issuer/vault"                              // registers an issuer
	"golang.org/x/sync/errgroup"
)

const (
	// workers is the number of workers of each controller.
	workers = 2
	// minBackoff and maxBackoff limit the delay after a request that has failed. cert-manager's defaults are hours.
	minBackoff, maxBackoff = time.Second, 10 * time.Second
)

// parseArguments parses arguments in the form of cert-manager: "--controllers=*,-name" disables one controller, and --enable-gateway-api
// makes certificates for Gateways, whose kinds must exist then.
func parseArguments(args []string) (without []string, gateways bool, err error) {
	flags := flag.NewFlagSet("controller", flag.ContinueOnError)
	list := flags.String("controllers", "*", "the controllers to run: *, and -name for each that does not run")
	flags.BoolVar(&gateways, "enable-gateway-api", false, "make certificates for Gateways")
	if err := flags.Parse(args); err != nil {
		return nil, false, err
	}
	names, err := disabled(*list)
	if !gateways {
		names = append(names, gatewayshim.ControllerName)
	}
	return names, gateways, err
}

// disabled returns the names of the controllers that a list disables.
func disabled(list string) ([]string, error) {
	var names []string
	for _, item := range strings.Split(list, ",") {
		name, isDisabled := strings.CutPrefix(item, "-")
		if !isDisabled && item != "*" {
			return nil, fmt.Errorf("the item %q of --controllers is neither * nor -name", item)
		}
		if isDisabled {
			names = append(names, name)
		}
	}
	return names, nil
}

// runController runs the controllers of certificates, requests and issuers.
func runController(ctx context.Context, args []string) error {
	without, gateways, err := parseArguments(args)
	if err != nil {
		return err
	}
	factory, err := controller.NewContextFactory(ctx, controller.ContextOptions{
		KubernetesAPIQPS: 50, KubernetesAPIBurst: 100,
		IssuerOptions: controller.IssuerOptions{ClusterResourceNamespace: namespace},
		CertificateOptions: controller.CertificateOptions{
			CertificateRequestMinimumBackoffDuration: minBackoff, CertificateRequestMaximumBackoffDuration: maxBackoff,
		},
		ConfigOptions: controller.ConfigOptions{EnableGatewayAPI: gateways},
	})
	if err != nil {
		return err
	}
	root, err := factory.Build()
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for name, construct := range controller.Known() {
		if slices.Contains(without, name) {
			continue
		}
		instance, err := construct(factory)
		if err != nil {
			return fmt.Errorf("the controller %s cannot be created: %w", name, err)
		}
		group.Go(func() error { return instance.Run(workers, ctx) })
	}
	// Constructors request informers, so these start afterwards.
	root.SharedInformerFactory.Start(ctx.Done())
	root.KubeSharedInformerFactory.Start(ctx.Done())
	if gateways {
		root.GWShared.Start(ctx.Done())
	}
	return group.Wait()
}
