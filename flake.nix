{
  description = "dhcpv6macd: boots machines by the rack over IPv6: prefix/80 + MAC, always, with no leases";

  # Evaluated, and the service verified, against a stand-in for nixpkgs: nothing here was ever built by Nix. Where a build fails, look
  # first whether bpf-linker's LLVM is older than rustc's.
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      eachSystem = make: lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
      inherit ((lib.importTOML ./Cargo.toml).workspace.package) version;
      src = lib.cleanSource ./.;

      # The program that the kernel runs: built with its own `core`, for which rustc's library sources and what they depend on are needed.
      steering =
        pkgs:
        let
          library = pkgs.rustPlatform.rustLibSrc;
        in
        pkgs.stdenv.mkDerivation {
          pname = "dhcpv6macd-ebpf";
          inherit version src;
          nativeBuildInputs = [
            pkgs.bpf-linker
            pkgs.cargo
            pkgs.rustc
            pkgs.rustPlatform.cargoSetupHook
          ];
          cargoDeps = pkgs.symlinkJoin {
            name = "dhcpv6macd-ebpf-vendor";
            paths = map (lockFile: pkgs.rustPlatform.importCargoLock { inherit lockFile; }) [
              "${library}/Cargo.lock"
              ./Cargo.lock
            ];
          };
          env = {
            RUSTC_BOOTSTRAP = "1";
            __CARGO_TESTS_ONLY_SRC_ROOT = "${library}";
            CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER = "bpf-linker";
            CARGO_TARGET_BPFEL_UNKNOWN_NONE_RUSTFLAGS = "-Cdebuginfo=2 -Clink-arg=--btf";
          };
          buildPhase = ''
            cargo build --offline --release --package dhcpv6macd-ebpf --bin dhcpv6macd-ebpf \
              -Zbuild-std=core --target bpfel-unknown-none
          '';
          installPhase = ''
            install -D --mode=444 target/bpfel-unknown-none/release/dhcpv6macd-ebpf $out/lib/dhcpv6macd-ebpf
          '';
          dontFixup = true; # strip knows no BPF
        };

      daemon =
        pkgs:
        pkgs.rustPlatform.buildRustPackage {
          pname = "dhcpv6macd";
          inherit version src;
          cargoLock.lockFile = ./Cargo.lock;
          cargoBuildFlags = [
            "--package"
            "dhcpv6macd"
          ];
          env.DHCPV6MACD_BPF_OBJECT = "${steering pkgs}/lib/dhcpv6macd-ebpf";
          doCheck = false; # the tests make network namespaces and load BPF programs: `cargo xtask test`, as root
          meta = {
            description = "DHCPv6 for labs: every machine gets its prefix + its MAC";
            license = lib.licenses.gpl3Only;
            platforms = lib.platforms.linux;
            mainProgram = "dhcpv6macd";
          };
        };
    in
    {
      packages = eachSystem (pkgs: {
        default = daemon pkgs;
        steering = steering pkgs;
      });

      checks = eachSystem (pkgs: {
        daemon = daemon pkgs;
      });

      # `cargo build` and `cargo clippy` work here; `cargo xtask build` makes the steering program itself, with rustup's nightly or
      # Debian's compiler.
      devShells = eachSystem (pkgs: {
        default = pkgs.mkShell {
          packages = [
            pkgs.bpf-linker
            pkgs.cargo
            pkgs.clippy
            pkgs.rustc
            pkgs.rustfmt
          ];
          DHCPV6MACD_BPF_OBJECT = "${steering pkgs}/lib/dhcpv6macd-ebpf";
        };
      });

      nixosModules.default = self.nixosModules.dhcpv6macd;
      nixosModules.dhcpv6macd =
        {
          config,
          lib,
          pkgs,
          ...
        }:
        let
          cfg = config.services.dhcpv6macd;
          toml = pkgs.formats.toml { };
          capabilities = [
            "CAP_NET_ADMIN"
            "CAP_NET_BIND_SERVICE"
            "CAP_NET_RAW"
          ]
          ++ lib.optionals ((cfg.settings.datapath or "xdp") == "xdp") [
            "CAP_BPF"
            "CAP_SYS_ADMIN"
          ];
        in
        {
          options.services.dhcpv6macd = {
            enable = lib.mkEnableOption "DHCPv6 that gives every machine its prefix + its MAC";
            package = lib.mkOption {
              type = lib.types.package;
              default = self.packages.${pkgs.stdenv.hostPlatform.system}.default;
              description = "The daemon.";
            };
            interface = lib.mkOption {
              type = lib.types.str;
              example = "eth1";
              description = "Interface that the machines are on.";
            };
            baseAddress = lib.mkOption {
              type = lib.types.str;
              example = "2001:db8:0:1::";
              description = "The /80 in front of every machine's MAC.";
            };
            settings = lib.mkOption {
              inherit (toml) type;
              default = { };
              example = {
                valid-lifetime = "48h";
                log-format = "json";
              };
              description = "Every other setting, by the name of its flag; see README.md.";
            };
          };

          config = lib.mkIf cfg.enable {
            services.dhcpv6macd.settings = {
              inherit (cfg) interface;
              base-address = cfg.baseAddress;
            };

            # For DHCPv6 and TFTP no firewall is to be opened: their frames are taken off the interface before netfilter sees them.
            # HTTP goes through the kernel: networking.firewall.interfaces.<interface>.allowedTCPPorts.
            systemd.services.dhcpv6macd = {
              description = "DHCPv6: prefix + MAC";
              wantedBy = [ "multi-user.target" ];
              wants = [ "network-online.target" ];
              after = [ "network-online.target" ];
              startLimitIntervalSec = 0;
              serviceConfig = {
                ExecStart = "${lib.getExe cfg.package} --config ${toml.generate "dhcpv6macd.toml" cfg.settings}";
                Restart = "on-failure";
                RestartSec = "1s";
                # The operator has something to mend.
                RestartPreventExitStatus = 2;
                DynamicUser = true;
                AmbientCapabilities = capabilities;
                CapabilityBoundingSet = capabilities;
                LockPersonality = true;
                MemoryDenyWriteExecute = true;
                NoNewPrivileges = true;
                PrivateDevices = true;
                PrivateTmp = true;
                ProtectClock = true;
                ProtectControlGroups = true;
                ProtectHome = true;
                ProtectHostname = true;
                ProtectKernelLogs = true;
                ProtectKernelModules = true;
                ProtectKernelTunables = true;
                ProtectProc = "invisible";
                ProtectSystem = "strict";
                RestrictAddressFamilies = [
                  "AF_INET"
                  "AF_INET6"
                  "AF_NETLINK"
                  "AF_PACKET"
                  "AF_UNIX"
                ];
                # The steering link's other end.
                RestrictNamespaces = "net";
                RestrictRealtime = true;
                RestrictSUIDSGID = true;
                SystemCallArchitectures = "native";
                SystemCallFilter = [
                  "@system-service"
                  "bpf"
                ];
                UMask = "0077";
              };
            };
          };
        };
    };
}
