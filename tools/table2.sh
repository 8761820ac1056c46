#!/usr/bin/env bash
# bash tools/table2.sh SEED ...: every row of Table II, Table III, and the other two reductions of the teacher-student
# losses, trained and tested on the synthetic set with each seed, under work_dirs/seeds/SEED. What is there is not made
# again; an interrupted training goes on. Print the table with tools/analysis_tools/seeds_table.py work_dirs/seeds/*
set -e
for seed in "$@"; do
    out=work_dirs/seeds/$seed
    run() { # NAME CONFIG [options]
        local name=$1 config=configs/synthetic/$2.py
        shift 2
        [ -f "$out/$name/results.json" ] && return
        echo "seed $seed: $name"
        python tools/train.py "$config" --resume --work-dir "$out/$name" --cfg-options randomness.seed="$seed" "$@"
        python tools/test.py "$config" "$(cat "$out/$name/last_checkpoint")" --rerank --work-dir "$out/$name"
    }
    start=model.reid.encoder.checkpoint=$out/pretrain
    teacher=model.teacher.encoder.checkpoint=$out/teacher_ir
    run pretrain pretrain
    run teacher_ir teacher_ir "$start"
    run baseline_rgb baseline_rgb "$start"
    run backbone backbone "$start"
    for row in tsgan_od_single_ts tsgan_od tsgan_jd tsgan_jd_sum; do
        run $row $row "$start" "$teacher"
    done
    run tsgan_jd_mean tsgan_jd "$start" "$teacher" model.loss_ts_cd.reduction=mean \
        model.loss_ts_real_ir.reduction=mean model.loss_ts_fake_ir.reduction=mean
done
