// Command manager is the Nexus operator: it runs the controller for NexusApps.
package main

import (
	"flag"
	"fmt"
	"os"

	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/nexus-operator/nexus-operator/controllers"
)

// version is set when the binary is built.
var version = "dev"

// options are the command line.
type options struct {
	controllers.Options
	metricsAddress string
	probeAddress   string
	leaderElect    bool
	showVersion    bool
	log            zap.Options
}

func main() {
	o := parse()
	if o.showVersion {
		fmt.Println(version)
		return
	}
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&o.log)))
	if err := run(o); err != nil {
		ctrl.Log.Error(err, "Stopping")
		os.Exit(1)
	}
}

func parse() options {
	var o options
	flag.StringVar(&o.RuntimeImage, "runtime-image", "", "Image of the pods of NexusApps that name none. Required.")
	flag.StringVar(&o.Namespace, "namespace", os.Getenv("POD_NAMESPACE"),
		"The operator's own namespace, for its lease and the key of its digests. Default: $POD_NAMESPACE.")
	flag.StringVar(&o.metricsAddress, "metrics-bind-address", ":8080", "Address of /metrics; 0 for none.")
	flag.StringVar(&o.probeAddress, "health-probe-bind-address", ":8081", "Address of /healthz and /readyz; 0 for none.")
	flag.BoolVar(&o.leaderElect, "leader-elect", false, "Let one of several replicas work at a time.")
	flag.BoolVar(&o.showVersion, "version", false, "Print the version and exit.")
	o.log.BindFlags(flag.CommandLine)
	flag.Parse()
	return o
}

func run(o options) error {
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the cluster: %w", err)
	}
	mgr, err := newManager(config, o)
	if err != nil {
		return fmt.Errorf("making the manager: %w", err)
	}
	if o.PodIDs, err = controllers.DetectPodIDs(mgr.GetRESTMapper()); err != nil {
		return err
	}
	ctx := ctrl.SetupSignalHandler()
	if err := controllers.Setup(ctx, mgr, o.Options); err != nil {
		return err
	}
	if err := controllers.RegisterMetrics(mgr); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("adding the health check: %w", err)
	}
	if err := mgr.AddReadyzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("adding the readiness check: %w", err)
	}
	ctrl.Log.Info("Starting the manager", "version", version, "runtimeImage", o.RuntimeImage, "namespace", o.Namespace)
	return mgr.Start(ctx)
}

func newManager(config *rest.Config, o options) (ctrl.Manager, error) {
	scheme, err := controllers.Scheme()
	if err != nil {
		return nil, err
	}
	// The API server's priority and fairness limits the operator, which does a few
	// apps at a time; a limit of the client's own only delays a fleet's start.
	config.QPS = -1
	return ctrl.NewManager(config, ctrl.Options{
		Scheme:                        scheme,
		Cache:                         controllers.CacheOptions(),
		Client:                        controllers.ClientOptions(),
		Metrics:                       server.Options{BindAddress: o.metricsAddress},
		HealthProbeBindAddress:        o.probeAddress,
		LeaderElection:                o.leaderElect,
		LeaderElectionID:              "nexus-operator",
		LeaderElectionNamespace:       o.Namespace,
		LeaderElectionReleaseOnCancel: true,
	})
}
