package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/openservicemesh/osm-operator/internal/injector/launch"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func main() {
	// An idle launcher makes little garbage, and nothing in parallel. By default, the heap would grow to 4 MB before the first collection.
	debug.SetGCPercent(10)
	runtime.GOMAXPROCS(1)
	err := run(os.Args[1:])
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "osm-launcher:", err)
	if errors.Is(err, launch.ErrNoEnvoy) {
		os.Exit(names.LauncherIdle)
	}
	os.Exit(1)
}

func run(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if len(args) == 1 && args[0] == names.LauncherWait {
		return launch.Wait(ctx)
	}
	if len(args) == 1 && args[0] == names.LauncherHold {
		<-ctx.Done()
		return nil
	}
	if len(args) == 4 && args[0] == names.LauncherAdmin && names.IsSlot(args[1]) {
		return launch.Query(names.SlotsDir, args[1], args[2], args[3], os.Stdout)
	}
	timing := launch.DefaultTiming()
	flags := flag.NewFlagSet("osm-launcher", flag.ContinueOnError)
	slot := flags.String(names.LauncherSlotFlag, "", "the name of the container")
	flags.DurationVar(&timing.MostDrain, names.LauncherDrainFlag, timing.MostDrain, "when connections of an Envoy that drains are cut")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if !names.IsSlot(*slot) || flags.NArg() == 0 {
		return errors.New("the arguments are --slot, the name of a container, and the command of Envoy")
	}
	other := names.StandbyContainer
	if *slot == other {
		other = names.SidecarContainer
	}
	return launch.Run(ctx, launch.Config{
		Slot: *slot, Other: other, First: *slot == names.SidecarContainer, Dir: names.SlotsDir, SharedMemory: names.SharedMemoryDir,
		Program: flags.Arg(0), Args: flags.Args()[1:], AdminPort: names.AdminPort, Timing: timing, Log: os.Stdout,
	})
}
