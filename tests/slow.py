"""What `make check` leaves out, because it takes long: files and single tests by the beginning of
their name."""

IN_BROWSER = ("test_app.py", "test_browser.py", "test_site.py")
SLOW_FILES = (
    *IN_BROWSER,
    "test_notebooks.py",
    "test_claims.py",
    "test_compare.py",
    "test_records.py",
    "test_course.py",
)
SLOW_FILES += (
    "test_playground.py",
    "test_playground_record.py",
    "test_processors.py",
    "test_bench",
    "test_exercises.py",
    "test_distributed.py",
    "test_race.py",
)
SLOW_FILES += ("test_versions.py", "test_verdicts.py", "test_sweeps_ended.py")
SLOW_TESTS = (
    "test_stacks.py::test_a_run_gives_the_same_in_a_worker_process",
    "test_stacks.py::test_a_run_gives_the_same_alone_and_in_stacks",
    "test_stacks.py::test_augmented_runs",
    "test_stacks.py::test_weight_0_gives_the_same",
    "test_stacks.py::test_cnns_and_pairs",
    "test_run.py::test_strength_0",
    "test_devices.py::test_training_in_bfloat16",
    "test_finite_world.py::test_every_identity_holds_after_transfer",
    "test_records_file.py::test_the_record_is_small",
    "test_project.py::test_the_notebook_build",
    "test_plots.py::test_plots_never_import_pyplot",
    "test_methods.py::test_alone_and_stacked",
    "test_methods.py::test_a_method_of_stage_two",
    "test_checks.py::test_no_constant_is_right_or_raises",
)
SLOW_TESTS += (  # each a second to eight, of what changes seldom
    "test_house.py::test_nothing_happens_at_import",
    "test_run.py::test_every_method_uses_the_unlabelled_inputs_it_is_given",
    "test_run.py::test_each_method_can_act_at_every_mth_step",
    "test_run.py::test_the_networks_that_are_kept_reach_what_their_results_say",
    "test_run.py::test_a_target_may_have_two_classes_or_thirty",
    "test_checkpoints.py::test_an_interrupted_stage_one_goes_on",
    "test_baselines.py::test_progress_counts_to_its_total",
    "test_baselines.py::test_earlier_layer_is_a_probe",
    "test_baselines.py::test_a_baseline_gives_the_same_alone_and_in_company",
    "test_finetuning.py::test_a_careful_run_gives_the_same_alone_and_stacked",
    "test_finetuning.py::test_the_term_of_a_method_of_stage_two_is_added",
    "test_stacks.py::test_a_run_gives_the_same_however_its_stacks_are_cut",
    "test_stacks.py::test_with_odd_batch_sizes",
    "test_batches.py::test_unlabelled_samples_are_there_at_every_mth_step",
    "test_published.py::test_the_record_has_the_names_of_the_sets",
)
SLOW_TESTS += (  # tools: a browser, another process, whole sweeps
    "test_site_moves.py::test_what_was_drawn_is_kept",
    "test_site_moves.py::test_an_explorer_is_drawn",
    "test_site_moves.py::test_a_widget_that_cannot_be_found",
    "test_site_moves.py::test_a_picture_that_is_not_there",
    "test_site_moves.py::test_a_slider_and_a_list",
    "test_site_moves.py::test_where_nothing_was_drawn",
    "test_site_moves.py::test_axe_finds_nothing_serious",
    "test_site_moves.py::test_without_a_script",
    "test_published.py::test_a_best_weight_at_an_end",
    "test_published.py::test_stopped_it_leaves_whole_seeds",
    "test_published.py::test_finished_seeds_are_written",
    "test_published.py::test_the_seeds_that_choose",
    "test_published.py::test_seeds_come_one_after_the_other",
    "test_forgetting_record.py::test_a_task_is_made",
)
SLOW_TESTS += (  # half a second to two
    "test_forgetting_pictures.py::test_every_position_of_the_sliders",
    "test_competitors.py::test_the_headline_has_all_that_competes",
    "test_style.py::test_threads_that_draw_at_once",
    "test_playground_view.py::test_a_picture_is_cut_between_its_panels",
    "test_run.py::test_each_method_moves_the_dependence",
    "test_run.py::test_stage_one_is_shared",
    "test_run.py::test_the_term_is_asked_for_at_every_mth_step",
    "test_running.py::test_runs_with_a_decay",
    "test_baselines.py::test_seeds_differ",
    "test_baselines.py::test_components_is_a_logistic_regression",
    "test_baselines.py::test_each_baseline_works_on_pairs",
    "test_datasets.py::test_debians_fashion_mnist",
    "test_tasks.py::test_fashion_mnist_as_it_is_installed",
    "test_finetuning.py::test_validation_samples_choose_the_step",
    "test_methods.py::test_mk_mmd_is_0_on_average",
)
